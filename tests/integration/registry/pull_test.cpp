#include "pull_fixture.h"

namespace gantry::registry {
namespace {

namespace fs = std::filesystem;
using namespace test;
using gantry::test::ArchiveBuilder;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(PullTest, AnImageComesWithItsLayersAndNames) {
  auto digest = put("a/b", "1",
                    {layer_with("one", "1"), layer_with("two", "2", ARCHIVE_FILTER_ZSTD),
                     layer_with("three", "3", ARCHIVE_FILTER_NONE)});
  auto got = pull("a/b:1");
  EXPECT_EQ(got.digest, digest);
  EXPECT_TRUE(got.changed);
  EXPECT_GT(got.received, 100u);
  EXPECT_EQ(read_file(file(got, 0, "one")), "1");
  EXPECT_EQ(read_file(file(got, 1, "two")), "2");
  EXPECT_EQ(read_file(file(got, 2, "three")), "3");
  EXPECT_THAT(got.image.references, ElementsAre(server_.host() + "/a/b:1"));
  EXPECT_EQ(images_.resolve(server_.host() + "/a/b@" + digest).id, got.image.id);
  std::string tar;
  images_.write_layer(got.image.layers[0], [&](std::string_view piece) { tar += piece; });
  EXPECT_EQ(tar, layer_with("one", "1").tar);
}

TEST_F(PullTest, WhatIsHereIsNotFetchedAgain) {
  auto one = layer_with("one", "1");  // made once: gzip notes the second
  put("a", "1", {one});
  pull("a:1");
  auto again = pull("a:1");
  EXPECT_FALSE(again.changed);
  EXPECT_EQ(server_.count("GET", "/manifests/"), 1u);
  put("a", "2", {one, layer_with("two", "2")});
  steps_.clear();
  auto more = pull("a:2");
  EXPECT_EQ(server_.count("GET", oci::Digest::of(one.packed).str()), 1u);
  EXPECT_EQ(std::count_if(steps_.begin(), steps_.end(), [](const auto& s) { return s.step == Step::exists; }), 1);
  EXPECT_EQ(std::count_if(steps_.begin(), steps_.end(), [](const auto& s) { return s.step == Step::complete; }), 1);
  auto asked = server_.asked().size();
  auto local = pull(PullRequest{server_.host() + "/a:2", {}, {}, PullPolicy::missing});
  EXPECT_EQ(local.image.id, more.image.id);
  EXPECT_EQ(server_.asked().size(), asked);
  EXPECT_THROW(pull(PullRequest{server_.host() + "/a:3", {}, {}, PullPolicy::never}), Error);
  EXPECT_EQ(server_.asked().size(), asked);
}

TEST_F(PullTest, AnIndexGivesTheImageForThePlatform) {
  auto here = put("x", "here", {layer_with("here", "1")}, kDockerManifest);
  auto other = put("x", "other", {layer_with("other", "2")}, kDockerManifest, "s390x");
  auto entry = [&](const std::string& digest, const std::string& architecture) {
    return R"({"mediaType":")" + std::string(kDockerManifest) + R"(","size":1,"digest":")" + digest +
           R"(","platform":{"os":"linux","architecture":")" + architecture + R"("}})";
  };
  auto index = R"({"schemaVersion":2,"mediaType":")" + std::string(kDockerList) + R"(","manifests":[)" +
               entry(other, "s390x") + "," + entry(here, Platform::host().architecture) + "]}";
  auto digest = server_.manifest("x", "multi", index, kDockerList);
  auto got = pull("x:multi");
  EXPECT_EQ(got.digest, digest);
  EXPECT_TRUE(fs::exists(file(got, 0, "here")));
  auto foreign = pull(PullRequest{server_.host() + "/x:multi", {}, Platform::parse("linux/s390x")});
  EXPECT_TRUE(fs::exists(file(foreign, 0, "other")));
  EXPECT_EQ(pull("x@" + digest).image.id, got.image.id);
  try {
    pull(PullRequest{server_.host() + "/x:multi", {}, Platform::parse("linux/riscv64")});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.fix(), HasSubstr("linux/s390x"));
  }
}

TEST_F(PullTest, WrongBytesAreRefused) {
  auto layer = layer_with("f", noise(300'000));
  put("a", "1", {layer});
  auto digest = oci::Digest::of(layer.packed).str();
  auto answers = [&](std::string body, std::optional<std::string> announced) {
    server_.hook([=](const Asked& asked) -> std::optional<Reply> {
      if (asked.path.find(digest) == std::string::npos) return std::nullopt;
      return Reply{.body = body, .announced = announced};
    });
  };
  auto changed = layer.packed;
  changed[200'000] = static_cast<char>(changed[200'000] ^ 1);
  answers(changed, {});
  fails("a:1", ErrorKind::invalid, "");
  answers(layer.packed + "more", {});
  fails("a:1", ErrorKind::invalid, "the manifest says");
  answers(layer.packed.substr(0, 1000), {});
  fails("a:1", ErrorKind::invalid, "the manifest says");
  answers(layer.packed.substr(0, 1000), std::to_string(layer.packed.size()));
  fails("a:1", ErrorKind::unavailable, "");
  server_.hook({});
  EXPECT_EQ(read_file(file(pull("a:1"), 0, "f")).size(), 300'000u);
}

TEST_F(PullTest, ALayerThatIsNotTheOneOfTheConfigurationIsRefused) {
  auto layer = layer_with("f", "right");
  layer.tar = ArchiveBuilder().file("f", "wrong").finish();
  put("a", "1", {layer});
  fails("a:1", ErrorKind::invalid, "the image says");
  put("b", "1", {{"no archive at all", "no archive at all"}});
  fails("b:1", ErrorKind::invalid, "not a tar");
  auto cut = layer_with("f", noise(100'000));
  cut.packed.resize(50'000);
  put("c", "1", {cut});
  fails("c:1", ErrorKind::invalid, "cut off");
}

TEST_F(PullTest, ABrokenConnectionIsTakenUpWhereItBroke) {
  auto layer = layer_with("f", noise(3'000'000));
  put("a", "1", {layer});
  auto digest = oci::Digest::of(layer.packed).str();
  auto breaks = std::make_shared<std::atomic<int>>(2);
  server_.hook([this, digest, breaks](const Asked& asked) -> std::optional<Reply> {
    if (asked.path.find(digest) == std::string::npos || (*breaks)-- <= 0) return std::nullopt;
    auto reply = server_.serve(asked);
    reply.announced = std::to_string(reply.body.size());
    reply.body.resize(1'000'000);
    return reply;
  });
  auto got = pull("a:1");
  EXPECT_EQ(read_file(file(got, 0, "f")), noise(3'000'000));
  EXPECT_EQ(got.received, layer.packed.size());
  std::vector<std::string> ranges;
  for (const auto& asked : server_.asked())
    if (asked.headers.contains("range")) ranges.push_back(asked.headers.at("range"));
  EXPECT_THAT(ranges, ElementsAre("bytes=1000000-", "bytes=2000000-"));
}

TEST_F(PullTest, AServerWithoutRangesSendsAllAgain) {
  auto layer = layer_with("f", noise(3'000'000));
  put("a", "1", {layer});
  auto digest = oci::Digest::of(layer.packed).str();
  auto first = std::make_shared<std::atomic<bool>>(true);
  server_.hook([=](const Asked& asked) -> std::optional<Reply> {
    if (asked.path.find(digest) == std::string::npos) return std::nullopt;
    Reply reply{.body = layer.packed, .announced = std::to_string(layer.packed.size())};
    if (first->exchange(false)) reply.body.resize(700'000);
    return reply;
  });
  EXPECT_EQ(read_file(file(pull("a:1"), 0, "f")), noise(3'000'000));
}

TEST_F(PullTest, ALargeLayerComesInRangesSideBySide) {
  options_.piece = 100'000;
  auto layer = layer_with("f", noise(1'000'000));
  put("a", "1", {layer, layer_with("small", "x")});
  auto digest = oci::Digest::of(layer.packed).str();
  auto breaks = std::make_shared<std::atomic<int>>(1);
  server_.hook([this, digest, breaks](const Asked& asked) -> std::optional<Reply> {
    auto range = asked.headers.find("range");
    bool chosen = range != asked.headers.end() && range->second.starts_with("bytes=300000-");
    if (!chosen || (*breaks)-- <= 0) return std::nullopt;
    auto reply = server_.serve(asked);
    reply.announced = std::to_string(reply.body.size());
    reply.body.resize(50'000);
    return reply;
  });
  auto got = pull("a:1");
  EXPECT_EQ(read_file(file(got, 0, "f")), noise(1'000'000));
  std::vector<std::string> ranges;
  for (const auto& asked : server_.asked())
    if (asked.headers.contains("range")) ranges.push_back(asked.headers.at("range"));
  EXPECT_EQ(ranges.size(), (layer.packed.size() + 99'999) / 100'000 + 1);
  EXPECT_THAT(ranges, Contains("bytes=300000-399999"));
  EXPECT_THAT(ranges, Contains("bytes=350000-399999"));
}

TEST_F(PullTest, ALargeLayerOfAServerWithoutRangesComesWhole) {
  options_.piece = 100'000;
  auto layer = layer_with("f", noise(1'000'000));
  put("a", "1", {layer});
  auto digest = oci::Digest::of(layer.packed).str();
  server_.hook([=](const Asked& asked) -> std::optional<Reply> {
    if (asked.path.find(digest) == std::string::npos) return std::nullopt;
    return Reply{.body = layer.packed};
  });
  EXPECT_EQ(read_file(file(pull("a:1"), 0, "f")), noise(1'000'000));
  EXPECT_EQ(server_.count("GET", digest), 2u);
}

TEST_F(PullTest, ARangeThatDoesNotComeEndsThePull) {
  options_.piece = 100'000;
  auto layer = layer_with("f", noise(1'000'000));
  put("a", "1", {layer});
  server_.hook([](const Asked& asked) -> std::optional<Reply> {
    auto range = asked.headers.find("range");
    if (range == asked.headers.end() || !range->second.starts_with("bytes=500000-")) return std::nullopt;
    return Reply{.status = 410, .body = "gone"};
  });
  fails("a:1", ErrorKind::invalid, "410");
  server_.hook([this](const Asked& asked) -> std::optional<Reply> {
    auto reply = server_.serve(asked);
    auto range = asked.headers.find("range");
    if (range != asked.headers.end() && range->second.starts_with("bytes=500000-")) reply.body[7] ^= 1;
    return reply;
  });
  fails("a:1", ErrorKind::invalid, "digest");
}

TEST_F(PullTest, AStallEndsAndIsTriedAgain) {
  auto layer = layer_with("f", noise(100'000));
  put("a", "1", {layer});
  auto digest = oci::Digest::of(layer.packed).str();
  auto stalls = std::make_shared<std::atomic<int>>(1);
  server_.hook([=, this](const Asked& asked) -> std::optional<Reply> {
    if (asked.path.find(digest) == std::string::npos || (*stalls)-- <= 0) return std::nullopt;
    auto reply = server_.serve(asked);
    reply.announced = std::to_string(reply.body.size());
    reply.body.resize(5000);
    reply.stall = true;
    return reply;
  });
  EXPECT_EQ(read_file(file(pull("a:1"), 0, "f")), noise(100'000));
  EXPECT_TRUE(std::any_of(steps_.begin(), steps_.end(), [](const auto& s) { return s.step == Step::retrying; }));
}

TEST_F(PullTest, BusyServersAreAskedAgainAndTheirReasonIsPassedOn) {
  put("a", "1", {layer_with("f", "1")});
  auto busy = std::make_shared<std::atomic<int>>(2);
  server_.hook([busy](const Asked& asked) -> std::optional<Reply> {
    if (asked.path == "/v2/" || (*busy)-- <= 0) return std::nullopt;
    return Reply{.status = 503, .body = "busy"};
  });
  EXPECT_TRUE(pull("a:1").changed);
  images_.remove(server_.host() + "/a:1", true, {});
  server_.hook([](const Asked& asked) -> std::optional<Reply> {
    if (asked.path == "/v2/") return std::nullopt;
    return Reply{
        .status = 429,
        .headers = {{"Retry-After", "3600"}},
        .body = R"({"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your\npull rate limit."}]})"};
  });
  fails("a:1", ErrorKind::exhausted, "429, rate limit): You have reached your pull rate limit");
}

TEST_F(PullTest, RedirectsAreFollowedWithoutTheSecret) {
  auto layer = layer_with("f", "1");
  put("a", "1", {layer});
  FakeRegistry storage;
  auto packed = layer.packed;
  storage.blob(packed);
  server_.hook([&](const Asked& asked) -> std::optional<Reply> {
    if (!asked.headers.contains("authorization"))
      return Reply{.status = 401, .headers = {{"WWW-Authenticate", "Basic realm=\"x\""}}};
    EXPECT_EQ(asked.headers.at("authorization"), "Basic dTpw");
    if (asked.path.find("/blobs/" + oci::Digest::of(packed).str()) == std::string::npos) return std::nullopt;
    return Reply{.status = 307, .headers = {{"Location", storage.url() + asked.path}}};
  });
  EXPECT_TRUE(pull({server_.host() + "/a:1", Credentials{"u", "p", "", ""}, {}}).changed);
  ASSERT_EQ(storage.asked().size(), 1u);
  EXPECT_FALSE(storage.asked()[0].headers.contains("authorization"));
}

TEST_F(PullTest, RedirectsThatLeadNowhereEnd) {
  put("a", "1", {layer_with("f", "1")});
  server_.hook([](const Asked& asked) -> std::optional<Reply> {
    if (asked.path == "/v2/") return std::nullopt;
    return Reply{.status = 302, .headers = {{"Location", asked.path}}};
  });
  fails("a:1", ErrorKind::invalid, "redirects without end");
  server_.hook([](const Asked& asked) -> std::optional<Reply> {
    if (asked.path == "/v2/") return std::nullopt;
    return Reply{.status = 302, .headers = {{"Location", "http://192.0.2.1/x"}}};
  });
  fails("a:1", ErrorKind::denied, "plain http");
}

TEST_F(PullTest, TokensAreFetchedForTheScopeAndRenewed) {
  put("team/app", "1", {layer_with("f", "1"), layer_with("g", "2")});
  auto serial = std::make_shared<std::atomic<int>>(1);
  auto uses = std::make_shared<std::atomic<int>>(0);
  server_.hook([this, serial, uses](const Asked& asked) -> std::optional<Reply> {
    if (asked.path.starts_with("/token?")) {
      EXPECT_THAT(asked.path, HasSubstr("service=reg%20x"));
      EXPECT_THAT(asked.path, HasSubstr("scope=repository%3Ateam%2Fapp%3Apull"));
      EXPECT_EQ(asked.headers.at("authorization"), "Basic dTpw");
      return Reply{.body = R"({"token":"t)" + std::to_string(++*serial) + R"(","expires_in":300})"};
    }
    auto sent = asked.headers.find("authorization");
    bool good = sent != asked.headers.end() && sent->second == "Bearer t" + std::to_string(*serial);
    if (good && ++*uses != 2) return std::nullopt;
    if (good) ++*serial;  // the token that was good a moment ago is not any more
    return Reply{.status = 401,
                 .headers = {{"WWW-Authenticate",
                              "Bearer realm=\"" + server_.url() + "/token\",service=\"reg x\",scope=\"ignored\""}}};
  });
  EXPECT_TRUE(pull({server_.host() + "/team/app:1", Credentials{"u", "p", "", ""}, {}}).changed);
  EXPECT_GE(server_.count("GET", "/token"), 2u);
}

TEST_F(PullTest, WhoMayNotIsTold) {
  server_.hook([](const Asked&) -> std::optional<Reply> {
    return Reply{.status = 401, .headers = {{"WWW-Authenticate", "Basic realm=\"x\""}}};
  });
  fails("a:1", ErrorKind::unauthenticated, "401");
  server_.hook([](const Asked&) -> std::optional<Reply> { return Reply{.status = 403, .body = "no"}; });
  fails("a:1", ErrorKind::denied, "403: no");
  server_.hook({});
  fails("a:1", ErrorKind::not_found, "not known here");
}

TEST_F(PullTest, WhatIsNoImageIsNamed) {
  server_.manifest("a", "chart",
                   R"({"schemaVersion":2,"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":")" +
                       oci::Digest::of("x").str() + R"(","size":1},"layers":[]})",
                   kOciManifest);
  fails("a:chart", ErrorKind::unsupported, "helm");
  server_.manifest("a", "old", R"({"schemaVersion":1,"fsLayers":[]})",
                   "application/vnd.docker.distribution.manifest.v1+json");
  fails("a:old", ErrorKind::unsupported, "schema 1");
  server_.manifest("a", "junk", "<html>", "text/html");
  fails("a:junk", ErrorKind::invalid, "manifest");
  server_.hook([](const Asked& asked) -> std::optional<Reply> {
    if (asked.path == "/v2/") return std::nullopt;
    return Reply{.body = std::string(5u << 20, ' ')};
  });
  fails("a:big", ErrorKind::invalid, "longer than");
}

TEST_F(PullTest, IndexesBelowIndexesEndSomewhere) {
  auto digest = put("a", "leaf", {layer_with("f", "1")});
  for (int depth = 1; depth <= 6; ++depth) {
    auto text = R"({"schemaVersion":2,"manifests":[{"mediaType":"x","size":1,"digest":")" + digest + R"("}]})";
    digest = server_.manifest("a", "deep" + std::to_string(depth), text, kOciIndex);
  }
  fails("a:deep6", ErrorKind::invalid, "without end");
  EXPECT_EQ(pull("a:deep2").image.layers.size(), 1u);
}

TEST_F(PullTest, AnIndexThatLeadsToAnotherManifestIsRefused) {
  server_.hook([](const Asked& asked) -> std::optional<Reply> {
    if (asked.path == "/v2/") return std::nullopt;
    return Reply{.headers = {{"Content-Type", kOciIndex}},
                 .body = R"({"schemaVersion":2,"manifests":[{"mediaType":"x","size":1,"digest":")" +
                         oci::Digest::of(asked.path).str() + R"("}]})"};
  });
  fails("a:1", ErrorKind::invalid, "gives the manifest");
}

TEST_F(PullTest, MirrorsComeFirstAndMayFail) {
  put("library/thing", "1", {layer_with("f", "1")});
  FakeRegistry broken;
  broken.hook([](const Asked&) -> std::optional<Reply> { return Reply{.status = 404}; });
  options_.mirrors = {broken.url(), server_.url()};
  auto got = pull(PullRequest{"thing:1", Credentials{"secret", "secret", "", ""}, {}});
  EXPECT_THAT(got.image.references, ElementsAre("thing:1"));
  EXPECT_GE(broken.asked().size(), 1u);
  for (const auto& asked : server_.asked()) EXPECT_FALSE(asked.headers.contains("authorization"));
}

TEST_F(PullTest, TwoAtOnceShareTheWork) {
  auto layer = layer_with("f", noise(500'000));
  put("a", "1", {layer});
  Registry registry(context_.get_executor(), images_, options_);
  std::vector<task<>> both;
  auto one = [&]() -> task<> {
    PullRequest request;
    request.reference = server_.host() + "/a:1";
    co_await registry.pull(request, {});
  };
  both.push_back(one());
  both.push_back(one());
  auto work = [&]() -> task<int> {
    co_await gantry::all(std::move(both));
    co_return 0;
  };
  run(work());
  EXPECT_EQ(server_.count("GET", oci::Digest::of(layer.packed).str()), 1u);
  EXPECT_EQ(images_.list().size(), 1u);
}

TEST_F(PullTest, CancellingTheLastWaiterEndsThePull) {
  auto layer = layer_with("f", noise(500'000));
  put("a", "1", {layer});
  options_.stall_timeout = std::chrono::seconds(60);
  auto digest = oci::Digest::of(layer.packed).str();
  server_.hook([=, this](const Asked& asked) -> std::optional<Reply> {
    if (asked.path.find(digest) == std::string::npos) return std::nullopt;
    auto reply = server_.serve(asked);
    reply.announced = std::to_string(reply.body.size());
    reply.body.resize(1000);
    reply.stall = true;
    return reply;
  });
  Registry registry(context_.get_executor(), images_, options_);
  auto work = [&]() -> task<int> {
    PullRequest request;
    request.reference = server_.host() + "/a:1";
    bool cancelled = false;
    try {
      co_await gantry::with_timeout("pull", std::chrono::milliseconds(200), registry.pull(request, {}));
    } catch (const Error& error) {
      cancelled = error.kind() == ErrorKind::timeout;
    }
    EXPECT_TRUE(cancelled);
    co_await registry.close();
    co_return 0;
  };
  auto begun = std::chrono::steady_clock::now();
  run(work());
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
  EXPECT_TRUE(fs::is_empty(dir_.path() / "layers/ingest"));
  EXPECT_TRUE(images_.list().empty());
}

}  // namespace
}  // namespace gantry::registry
