#include "mirror_fixture.h"

// Knowing a digest gives nobody a blob, nor the knowledge that there is one.
namespace gantry::distribution {
namespace {

using namespace test;

TEST(Visibility, ABlobIsThereForItsRepositoryOnly) {
  Machine machine;
  auto digest = machine.upload("mine", "secret");
  EXPECT_EQ(machine.registry.blob_size("mine", digest), 6u);
  EXPECT_EQ(machine.registry.blob_size("other", digest), std::nullopt);
  EXPECT_EQ(refusal_of([&] { machine.registry.open_blob("other", digest); }).code(), Code::BLOB_UNKNOWN);
}

TEST(Visibility, AMountSaysFromWhere) {
  Machine machine;
  auto digest = machine.upload("mine", "secret");
  EXPECT_FALSE(machine.registry.mount("other", digest, ""));
  EXPECT_FALSE(machine.registry.mount("other", digest, "third"));
  EXPECT_EQ(machine.registry.blob_size("other", digest), std::nullopt);
  EXPECT_TRUE(machine.registry.mount("mine", digest, ""));
  EXPECT_TRUE(machine.registry.mount("other", digest, "mine"));
  EXPECT_EQ(machine.registry.blob_size("other", digest), 6u);
}

TEST(Visibility, AManifestGivesNoBlobThatItsRepositoryHasNot) {
  Machine machine;
  machine.upload("mine", "secret");
  machine.upload("other", "{}");
  auto text = manifest_of("{}", {"secret"});
  auto refusal = refusal_of([&] { machine.registry.put_manifest("other", "x", kManifestType, text); });
  EXPECT_EQ(refusal.code(), Code::MANIFEST_BLOB_UNKNOWN);
}

// A tar as the engine would have it: two empty blocks are one.
struct EngineLayer : ::testing::Test {
  Machine machine;
  std::string tar = std::string(10240, '\0');
  std::shared_ptr<image::ImageStore::Lease> lease = machine.images.lease();
  std::string import() {
    auto path = machine.dir.path() / "layer.tar";
    write_file(path, tar);
    Fd fd = open_file(path.string(), 0);
    return machine.images.import_layer(fd.get(), *lease, {});
  }
};

TEST_F(EngineLayer, IsNotSeenByItsDigest) {
  auto digest = import();
  ASSERT_TRUE(machine.images.has_layer_tar(digest));
  EXPECT_EQ(machine.registry.blob_size("any", digest), std::nullopt);
  EXPECT_FALSE(machine.registry.mount("any", digest, ""));
  EXPECT_FALSE(machine.registry.mount("any", digest, "gantry-engine/00112233445566778899aabbccddeeff"));
  machine.upload("any", "{}");
  auto text = manifest_of("{}", {tar});
  EXPECT_EQ(refusal_of([&] { machine.registry.put_manifest("any", "x", kManifestType, text); }).code(),
            Code::MANIFEST_BLOB_UNKNOWN);
}

TEST_F(EngineLayer, IsSharedWithTheEngineItself) {
  auto digest = import();
  auto other = digest_of("another layer");
  {
    auto voucher = machine.vouchers->vouch(digest);
    EXPECT_FALSE(machine.registry.mount("any", other, voucher->word())) << "a word is good for one layer";
    EXPECT_TRUE(machine.registry.mount("any", digest, voucher->word()));
  }
  EXPECT_EQ(machine.files(), 0u);
  EXPECT_EQ(Machine::all_of(machine.registry.open_blob("any", digest)), tar);
  EXPECT_EQ(machine.registry.blob_size("other", digest), std::nullopt);
}

TEST_F(EngineLayer, AWordIsGoodForAMoment) {
  auto digest = import();
  auto word = machine.vouchers->vouch(digest)->word();
  EXPECT_FALSE(machine.registry.mount("any", digest, word));
}

TEST_F(EngineLayer, WhoHasSentItHasItAndItIsKeptOnce) {
  auto digest = import();
  machine.upload("any", tar);
  EXPECT_EQ(machine.files(), 0u);
  EXPECT_EQ(Machine::all_of(machine.registry.open_blob("any", digest)), tar);
}

TEST(Immutable, IsDenied) {
  TemporaryDirectory dir{std::filesystem::temp_directory_path(), "gantry-distribution-"};
  store::Database database{dir.path() / "db", {image::schema(), schema()}};
  content::ContentStore content{dir.path() / "content"};
  image::ImageStore images{database, content, dir.path() / "layers"};
  Distribution registry(database, images, {.root = dir.path() / "registry", .immutable = {"a:v*"}});
  auto put = [&](const std::string& config) {
    auto id = registry.begin_upload("a");
    registry.append("a", id, 0, config);
    registry.finish_upload("a", id, digest_of(config));
    registry.put_manifest("a", "v1", kManifestType, manifest_of(config, {}));
  };
  put("{}");
  put("{}");
  auto refusal = refusal_of([&] { put("{ }"); });
  EXPECT_EQ(refusal.code(), Code::DENIED);
  EXPECT_EQ(http_status(refusal.kind()), 403);
}

}  // namespace
}  // namespace gantry::distribution
