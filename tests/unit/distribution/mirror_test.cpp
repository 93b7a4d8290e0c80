#include <future>
#include <thread>

#include "mirror_fixture.h"

namespace gantry::distribution {
namespace {

using namespace test;
constexpr char kName[] = "docker.io/library/app";
const std::string kLarge(3'000'000, 'x');

TEST(Mirror, FetchesOnceAndKeeps) {
  Machine machine({.ttl = std::chrono::seconds(100)});
  auto digest = machine.upstream->put("library/app", "1", {"layer"});
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(machine.get("docker.io/app", "1").manifest.digest.str(), digest);
    EXPECT_EQ(machine.get(kName, digest).manifest.digest.str(), digest);
    EXPECT_EQ(machine.read(kName, digest_of("layer")), "layer");
  }
  EXPECT_EQ(machine.upstream->documents, 1);
  EXPECT_EQ(machine.upstream->heads, 0);
  EXPECT_EQ(machine.upstream->sizes, 0) << "the manifest says how long it is";
  EXPECT_EQ(machine.upstream->fetches, 1);
  EXPECT_EQ(machine.mirror.use().blobs, 5u);
  EXPECT_EQ(machine.mirror.use().repositories, 1u);
}

TEST(Mirror, ATagIsAskedForAgainAndFollowed) {
  Machine machine;
  machine.upstream->put("library/app", "1", {"layer"});
  machine.get(kName, "1");
  machine.get(kName, "1");
  EXPECT_EQ(machine.upstream->heads, 1);
  EXPECT_EQ(machine.upstream->documents, 1) << "it has not changed";
  auto moved = machine.upstream->put("library/app", "1", {"other"});
  EXPECT_EQ(machine.get(kName, "1").manifest.digest.str(), moved);
  machine.upstream->drop_tag("library/app", "1");
  EXPECT_EQ(refusal_of([&] { machine.get(kName, "1"); }).code(), Code::MANIFEST_UNKNOWN);
  machine.upstream->fails = ErrorKind::unavailable;
  EXPECT_EQ(refusal_of([&] { machine.get(kName, "1"); }).kind(), ErrorKind::unavailable) << "deleted is deleted";
}

TEST(Mirror, ServesWhatItHasWhenTheUpstreamIsAway) {
  for (auto kind : {ErrorKind::unavailable, ErrorKind::timeout, ErrorKind::exhausted, ErrorKind::invalid}) {
    Machine machine;
    auto digest = machine.upstream->put("library/app", "1", {"layer"});
    EXPECT_EQ(machine.get(kName, "1").warning, "");
    machine.read(kName, digest_of("layer"));
    machine.upstream->fails = kind;
    auto served = machine.get(kName, "1");
    EXPECT_EQ(served.manifest.digest.str(), digest);
    EXPECT_NE(served.warning.find("not well"), std::string::npos) << served.warning;
    EXPECT_EQ(machine.read(kName, digest_of("layer")), "layer");
    machine.upstream->fails.reset();
    EXPECT_EQ(machine.get(kName, "1").warning, "");
  }
}

TEST(Mirror, WhoHasNoAccessAnyMoreIsNotServed) {
  Machine machine;
  machine.upstream->put("library/app", "1", {"layer"});
  machine.get(kName, "1");
  for (auto kind : {ErrorKind::unauthenticated, ErrorKind::denied}) {
    machine.upstream->fails = kind;
    auto refusal = refusal_of([&] { machine.get(kName, "1"); });
    EXPECT_EQ(refusal.code(), Code::DENIED) << "a client is not to be asked for the mirror's password";
    EXPECT_EQ(refusal.kind(), ErrorKind::denied);
  }
}

TEST(Mirror, AnUpstreamThatIsDownIsLeftAloneForAWhile) {
  Machine machine({.ttl = std::chrono::seconds(0), .down_pause = std::chrono::seconds(100)});
  machine.upstream->put("library/app", "1", {"layer"});
  machine.get(kName, "1");
  machine.upstream->fails = ErrorKind::timeout;
  for (int i = 0; i < 3; ++i) EXPECT_NE(machine.get(kName, "1").warning, "");
  EXPECT_EQ(machine.upstream->heads, 1);
}

TEST(Mirror, ErrorsOfTheUpstreamAreToldAsWhatTheyMeanForTheClient) {
  Machine machine;
  machine.upstream->put("library/app", "1", {"layer"});
  EXPECT_EQ(refusal_of([&] { machine.get(kName, "none"); }).code(), Code::MANIFEST_UNKNOWN);
  EXPECT_EQ(refusal_of([&] { machine.read(kName, digest_of("none")); }).code(), Code::BLOB_UNKNOWN);
  machine.upstream->fails = ErrorKind::exhausted;
  EXPECT_EQ(refusal_of([&] { machine.get(kName, "1"); }).code(), Code::TOOMANYREQUESTS);
  EXPECT_EQ(refusal_of([&] { machine.read(kName, digest_of("layer")); }).code(), Code::TOOMANYREQUESTS);
}

TEST(Mirror, ALieIsNotKept) {
  Machine machine;
  machine.upstream->put("library/app", "1", {"layer", kLarge});
  machine.get(kName, "1");
  machine.upstream->lie_about("library/app", "layer");
  EXPECT_EQ(refusal_of([&] { machine.read(kName, digest_of("layer")); }).kind(), ErrorKind::unavailable);
  machine.upstream->lie_about("library/app", kLarge);
  // Found out before anybody was promised anything, it would be an answer of its own.
  std::promise<void> go;
  auto may = go.get_future().share();
  machine.upstream->before_piece = [&](std::size_t sent) {
    if (sent > 1'500'000) may.wait();
  };
  auto blob = machine.mirror.blob(machine.place(kName), digest_of(kLarge));
  go.set_value();
  std::string came;
  EXPECT_THROW(blob.produce()(0, blob.size(), [&](std::string_view piece) { came += piece; }), Error);
  EXPECT_LT(came.size(), kLarge.size()) << "a client must see that it is not complete";
  EXPECT_EQ(machine.registry.blob_size(kName, digest_of(kLarge)), std::nullopt);
  machine.mirror.stop();
  EXPECT_EQ(machine.files(), 0u);
}

TEST(Mirror, ReadersOfABlobShareOneFetch) {
  Machine machine;
  machine.upstream->put("library/app", "1", {kLarge});
  machine.get(kName, "1");
  std::promise<void> go;
  auto may = go.get_future().share();
  machine.upstream->before_piece = [&](std::size_t sent) {
    if (sent > 1'500'000) may.wait();
  };
  auto read = [&] { return machine.read(kName, digest_of(kLarge)) == kLarge; };
  auto one = std::async(std::launch::async, read);
  auto other = std::async(std::launch::async, read);
  // A part behind what has come, and one that is there: it does not wait for the rest.
  auto blob = machine.mirror.blob(machine.place(kName), digest_of(kLarge));
  std::string part;
  blob.produce()(10, 5, [&](std::string_view piece) { part += piece; });
  EXPECT_EQ(part, "xxxxx");
  EXPECT_EQ(machine.registry.blob_size(kName, digest_of(kLarge)), std::nullopt) << "not there before it is complete";
  go.set_value();
  EXPECT_TRUE(one.get());
  EXPECT_TRUE(other.get());
  EXPECT_EQ(machine.upstream->fetches, 1);
}

TEST(Mirror, AFetchThatNobodyWaitsForEnds) {
  Machine machine;
  machine.upstream->put("library/app", "1", {kLarge});
  machine.get(kName, "1");
  std::promise<void> go;
  auto may = go.get_future().share();
  machine.upstream->before_piece = [&](std::size_t sent) {
    if (sent > 1'500'000) may.wait();
  };
  { auto blob = machine.mirror.blob(machine.place(kName), digest_of(kLarge)); }
  go.set_value();
  machine.mirror.stop();
  EXPECT_EQ(machine.files(), 0u);
  EXPECT_EQ(machine.registry.blob_size(kName, digest_of(kLarge)), std::nullopt);
}

TEST(Mirror, RepositoriesOfOneUpstreamShareBlobsWithinWhatTheirManifestsName) {
  Machine machine;
  machine.upstream->put("library/app", "1", {"layer"});
  machine.upstream->put("library/other", "1", {"layer"});
  machine.get(kName, "1");
  machine.read(kName, digest_of("layer"));
  auto other = machine.place("docker.io/other");
  EXPECT_FALSE(machine.mirror.stored_blob(other, digest_of("layer"))) << "no manifest of it says so yet";
  machine.get("docker.io/other", "1");
  EXPECT_TRUE(machine.mirror.stored_blob(other, digest_of("layer")));
  EXPECT_EQ(machine.upstream->fetches, 1);
}

TEST(Mirror, WhatIsOursIsNotGivenAwayByNamingItThere) {
  Machine machine;
  machine.upload("mine", "secret");
  machine.upstream->put("library/app", "1", {"secret"});
  machine.upstream->lie_about("library/app", "secret");
  machine.get(kName, "1");
  EXPECT_FALSE(machine.mirror.stored_blob(machine.place(kName), digest_of("secret")));
}

TEST(Mirror, NothingIsPushedToIt) {
  Machine machine;
  auto refusal = refusal_of([&] { machine.mirror.refuse_push("docker.io/mine/x"); });
  EXPECT_EQ(refusal.code(), Code::UNSUPPORTED);
  EXPECT_NE(refusal.message().find("https://hub.example"), std::string::npos);
  machine.mirror.refuse_push("mine/x");
}

TEST(Mirror, EverythingThatIsNotOurs) {
  Machine machine;
  machine.upload("mine/app", "{}");
  Mirror all(machine.registry, {{kEverything, "docker.io", "https://hub.example", machine.upstream}});
  machine.upstream->put("some/app", "1", {"layer"});
  EXPECT_FALSE(all.find("mine/app"));
  ASSERT_TRUE(all.find("some/app"));
  EXPECT_EQ(all.manifest(*all.find("some/app"), "1").warning, "");
  all.refuse_push("mine/app");
  EXPECT_EQ(refusal_of([&] { all.refuse_push("some/app"); }).code(), Code::UNSUPPORTED);
}

TEST(Mirror, IsForgottenWithItsProxy) {
  Machine machine;
  machine.upstream->put("library/app", "1", {"layer"});
  machine.get(kName, "1");
  machine.read(kName, digest_of("layer"));
  write_file(machine.dir.path() / "registry/arriving/left", "by a crash");
  Mirror same(machine.registry, {{"docker.io", "docker.io", "", machine.upstream}});
  same.recover();
  EXPECT_EQ(same.use().blobs, 5u);
  EXPECT_EQ(machine.files(), 1u) << "what a crash left goes";
  Mirror none(machine.registry, {});
  none.recover();
  EXPECT_EQ(none.use().blobs + none.use().manifests, 0u);
  machine.registry.collect(false);
  EXPECT_EQ(machine.files(), 0u);
}

struct Budget : ::testing::Test {
  Machine machine;
  void SetUp() override {
    for (const auto* tag : {"1", "2", "3"}) {
      machine.upstream->put("library/app", tag, {"base", std::string(1000, *tag)});
      machine.get(kName, tag);
      machine.read(kName, digest_of("base"));
      machine.read(kName, digest_of(std::string(1000, *tag)));
    }
  }
  void unused(const std::string& tag, int seconds) {
    machine.run("UPDATE distribution_manifests SET used=unixepoch()-" + std::to_string(seconds) +
                " WHERE digest=(SELECT digest FROM distribution_tags WHERE name='" + tag + "')");
  }
  bool has(char layer) { return machine.registry.blob_size(kName, digest_of(std::string(1000, layer))).has_value(); }
};

TEST_F(Budget, WhatWasLongestNotUsedGoesFirstAndNoMore) {
  unused("1", 5000);
  unused("2", 9000);
  unused("3", 1000);
  auto before = machine.mirror.use();
  auto shrunk = machine.mirror.shrink(before.blobs + before.manifests - 500);
  EXPECT_EQ(shrunk.manifests, 1u);
  EXPECT_GT(shrunk.bytes, 1000u);
  EXPECT_TRUE(has('1'));
  EXPECT_FALSE(has('2'));
  EXPECT_TRUE(has('3'));
  EXPECT_TRUE(machine.registry.blob_size(kName, digest_of("base"))) << "others need it";
  EXPECT_EQ(machine.mirror.use().blobs, before.blobs - 1000);
  EXPECT_EQ(machine.get(kName, "2").warning, "") << "it can be had again";
}

TEST_F(Budget, WhatWasJustUsedStaysForNow) {
  auto shrunk = machine.mirror.shrink(0);
  EXPECT_EQ(shrunk.manifests, 0u);
  EXPECT_TRUE(shrunk.later);
}

TEST_F(Budget, AllOfItAndWhatIsOursStays) {
  machine.registry.mount("mine", digest_of("base"), kName);
  machine.upload("mine", "own");
  for (const auto* tag : {"1", "2", "3"}) unused(tag, 5000);
  auto shrunk = machine.mirror.shrink(0);
  EXPECT_EQ(shrunk.manifests, 3u);
  EXPECT_FALSE(shrunk.later);
  EXPECT_EQ(machine.mirror.use().blobs, 0u);
  EXPECT_EQ(machine.registry.blob_size("mine", digest_of("base")), 4u);
  EXPECT_EQ(machine.files(), 2u);
}

TEST_F(Budget, WhatImagesOfTheEngineCameAsStays) {
  unused("1", 5000);
  unused("2", 9000);
  unused("3", 1000);
  auto digest = machine.get(kName, "2").manifest.digest.str();
  unused("2", 9000);
  machine.run("INSERT INTO images (id, manifest, keep) VALUES ('sha256:engine', '" + digest + "', 1)");
  EXPECT_FALSE(machine.images.images_of_manifest(digest).empty());
  auto shrunk = machine.mirror.shrink(0);
  EXPECT_EQ(shrunk.manifests, 2u);
  EXPECT_TRUE(has('2'));
}

TEST(Tags, AreTheUpstreamsInPages) {
  Machine machine;
  for (const auto* tag : {"a", "b", "c"}) machine.upstream->put("library/app", tag, {});
  auto place = machine.place(kName);
  auto page = machine.mirror.tags(place, 2, "");
  EXPECT_EQ(page.names, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(page.more);
  EXPECT_EQ(machine.mirror.tags(place, 2, "b").names, (std::vector<std::string>{"c"}));
  machine.get(kName, "b");
  machine.upstream->fails = ErrorKind::unavailable;
  EXPECT_EQ(machine.mirror.tags(place, 2, "").names, (std::vector<std::string>{"b"})) << "those that are here";
}

}  // namespace
}  // namespace gantry::distribution
