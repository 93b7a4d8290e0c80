#include <chrono>

#include "gantry/image/layer_receiver.h"
#include "pull_fixture.h"

/// Registries that break, lie or mean harm, and what becomes of an image store meanwhile.
namespace gantry::registry {
namespace {

using namespace test;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(PullTest, AMissingLayerOrConfigurationEndsThePull) {
  auto layer = layer_with("f", "1");
  put("a", "1", {layer, layer_with("g", noise(50'000))});
  auto digest = oci::Digest::of(layer.packed).str();
  server_.hook([digest](const Asked& asked) -> std::optional<Reply> {
    if (asked.path.find(digest) == std::string::npos) return std::nullopt;
    return Reply{.status = 404, .body = R"({"errors":[{"code":"BLOB_UNKNOWN","message":"gone"}]})"};
  });
  fails("a:1", ErrorKind::not_found, "gone");
  server_.hook([](const Asked& asked) -> std::optional<Reply> {
    if (asked.method != "GET" || asked.path.find("/blobs/") == std::string::npos) return std::nullopt;
    return Reply{.status = 404};
  });
  fails("a:1", ErrorKind::not_found, "configuration");
}

TEST_F(PullTest, HugeManifestsAndAnnotationsAreNotReadToTheEnd) {
  oci::Manifest manifest;
  manifest.config = {kOciConfig, server_.blob("{}"), 2, {}};
  manifest.annotations.emplace();
  (*manifest.annotations)["note"] = std::string(8u << 20, 'x');
  server_.manifest("a", "1", json::to_text(manifest), kOciManifest);
  fails("a:1", ErrorKind::invalid, "");
  EXPECT_THAT(content_.list(), IsEmpty());
}

TEST_F(PullTest, SizesThatCannotBeAreRefused) {
  oci::Manifest manifest;
  manifest.config = {kOciConfig, server_.blob("{}"), 1ull << 30, {}};
  server_.manifest("a", "1", json::to_text(manifest), kOciManifest);
  fails("a:1", ErrorKind::invalid, "larger than a configuration may be");
  manifest.config.size = 2;
  manifest.layers.push_back({"application/vnd.oci.image.layer.v1.tar", server_.blob("x"), 1ull << 50, {}});
  server_.manifest("b", "1", json::to_text(manifest), kOciManifest);
  fails("b:1", ErrorKind::invalid, "larger than any can be");
  manifest.layers[0].size = 1;
  manifest.layers[0].mediaType = "application/vnd.example.odd";
  server_.manifest("c", "1", json::to_text(manifest), kOciManifest);
  fails("c:1", ErrorKind::unsupported, "application/vnd.example.odd");
}

TEST_F(PullTest, AnIndexThatListsItselfEnds) {
  // A digest of itself cannot be made, so the server lies: every digest is answered with the same index.
  auto other = "sha256:" + std::string(64, 'a');
  auto text = R"({"schemaVersion":2,"mediaType":")" + std::string(kOciIndex) + R"(","manifests":[{"mediaType":")" +
              kOciIndex + R"(","digest":")" + other + R"(","size":10}]})";
  server_.hook([text](const Asked& asked) -> std::optional<Reply> {
    if (asked.path.find("/manifests/") == std::string::npos) return std::nullopt;
    return Reply{.headers = {{"Content-Type", kOciIndex}}, .body = text};
  });
  fails("a:1", ErrorKind::invalid, "gives the manifest");
}

TEST_F(PullTest, RetryAfterIsHonoured) {
  put("a", "1", {layer_with("f", "1")});
  auto busy = std::make_shared<std::atomic<int>>(2);  // the first answers a HEAD, which is not asked again
  server_.hook([busy](const Asked& asked) -> std::optional<Reply> {
    if (asked.path == "/v2/" || (*busy)-- <= 0) return std::nullopt;
    return Reply{.status = 429, .headers = {{"Retry-After", "1"}}};
  });
  auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(pull("a:1").changed);
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(900));
}

TEST_F(PullTest, BytesThatGrowBeyondAllMeasureAreRefused) {
  auto bomb = layer_with("zeros", std::string(64u << 20, '\0'), ARCHIVE_FILTER_ZSTD);
  ASSERT_LT(bomb.packed.size() * 1100, bomb.tar.size());
  auto receive = [&](std::uint64_t always_allowed) {
    auto receiver = images_.receive_layer(
        {oci::Digest::of(bomb.packed), bomb.packed.size(), oci::Digest::of(bomb.tar), always_allowed}, images_.lease());
    receiver->feed(bomb.packed);
    receiver->finish();
  };
  try {
    receive(8u << 20);
    ADD_FAILURE() << "was taken";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("inflate to more than any archive's"));
  }
  EXPECT_TRUE(fs::is_empty(dir_.path() / "layers/ingest"));
  receive(1u << 30);
}

TEST_F(PullTest, AnImageThatIsDeletedWhileItIsPulledComesAllTheSame) {
  auto shared = layer_with("shared", noise(200'000));
  put("a", "1", {shared});
  put("a", "2", {shared, layer_with("second", noise(400'000))});
  auto first = pull("a:1");
  // When the second layer comes, the image that brought the first one goes.
  server_.hook([&, done = std::make_shared<std::atomic<bool>>(false)](const Asked& asked) -> std::optional<Reply> {
    bool blob = asked.method == "GET" && asked.path.find("/blobs/") != std::string::npos;
    if (blob && asked.path.find("sha256") != std::string::npos && !done->load()) {
      auto reply = server_.serve(asked);
      if (reply.body.size() > 300'000) {
        done->store(true);
        images_.remove(server_.host() + "/a:1", true, {});
      }
      return reply;
    }
    return std::nullopt;
  });
  auto got = pull("a:2");
  EXPECT_EQ(read_file(file(got, 0, "shared")), noise(200'000));
  EXPECT_THAT(images_.check({}, {}).damages, IsEmpty());
  EXPECT_THROW(images_.resolve(server_.host() + "/a:1"), Error);
}

class RepairTest : public PullTest {
 protected:
  image::CheckReport verify(bool repair) {
    Registry registry(context_.get_executor(), images_, options_);
    VerifyRequest request;
    request.repair = repair;
    return run(registry.verify(std::move(request), {}));
  }
};

TEST_F(RepairTest, WhatIsDamagedIsFetchedFromWhereItCame) {
  put("a", "1", {layer_with("f", noise(100'000)), layer_with("g", "2")});
  auto got = pull("a:1");
  fs::resize_file(file(got, 0, "f"), 10);
  fs::remove(file(got, 1, "g"));
  fs::remove(dir_.path() / "content/sha256" / got.image.digest.substr(7));
  fs::resize_file(dir_.path() / "content/sha256" / got.image.id.substr(7), 3);
  EXPECT_EQ(verify(false).damages.size(), 4u);
  auto report = verify(true);
  EXPECT_EQ(report.damages.size(), 4u);
  for (const auto& damage : report.damages) EXPECT_TRUE(damage.repaired) << damage.digest << ": " << damage.fix;
  EXPECT_THAT(verify(false).damages, IsEmpty());
  EXPECT_EQ(read_file(file(got, 0, "f")), noise(100'000));
}

TEST_F(RepairTest, ARegistryThatGivesOtherBytesRepairsNothing) {
  auto layer = layer_with("f", noise(100'000));
  put("a", "1", {layer});
  auto got = pull("a:1");
  fs::resize_file(file(got, 0, "f"), 10);
  auto digest = oci::Digest::of(layer.packed).str();
  auto other = layer.packed;
  other[5000] = static_cast<char>(other[5000] ^ 1);
  server_.hook([=](const Asked& asked) -> std::optional<Reply> {
    if (asked.path.find(digest) == std::string::npos) return std::nullopt;
    return Reply{.body = other};
  });
  auto report = verify(true);
  ASSERT_EQ(report.damages.size(), 1u);
  EXPECT_FALSE(report.damages[0].repaired);
  EXPECT_THAT(report.damages[0].fix, HasSubstr("could not be had again"));
  EXPECT_EQ(fs::file_size(file(got, 0, "f")), 10u) << "what is there stays";
}

class CopyTest : public PullTest {
 protected:
  CopyResult copy(const std::string& source, const std::string& target, bool all = false) {
    Registry registry(context_.get_executor(), images_, options_);
    CopyRequest request;
    request.source = source;
    request.target = target;
    request.all = all;
    return run(registry.copy(std::move(request)));
  }
};

TEST_F(CopyTest, AnIndexWithoutEndIsRefused) {
  auto other = "sha256:" + std::string(64, 'a');
  auto text = R"({"schemaVersion":2,"mediaType":")" + std::string(kOciIndex) + R"(","manifests":[{"mediaType":")" +
              kOciIndex + R"(","digest":")" + other + R"(","size":10}]})";
  server_.manifest("a", "1", text, kOciIndex);
  EXPECT_THROW(copy(server_.host() + "/a:1", server_.host() + "/b:1", true), Error);
}

}  // namespace
}  // namespace gantry::registry
