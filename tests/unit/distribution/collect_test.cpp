#include "fixture.h"

namespace gantry::distribution {
namespace {

constexpr std::chrono::seconds kNow{0};

class CollectTest : public Fixture {
 protected:
  Collected now(bool untagged = false) { return registry_->collect(untagged, kNow); }
};

TEST_F(CollectTest, WhatIsNewIsKeptForTheGracePeriod) {
  push_blob("a", "first of its manifest");
  auto id = registry_->begin_upload("a");
  push_image("a", "", "no tag yet");
  auto collected = registry_->collect(true);
  EXPECT_EQ(collected.blobs + collected.manifests + collected.uploads, 0u);
  EXPECT_EQ(registry_->upload_offset("a", id), 0u);
}

TEST_F(CollectTest, ABlobGoesWithItsLastLink) {
  auto digest = push_image("a", "1", "layer");
  push_image("b", "1", "layer");
  EXPECT_EQ(now().blobs, 0u);
  registry_->delete_manifest("a", digest);
  EXPECT_EQ(now().blobs, 0u) << "b needs both";
  EXPECT_FALSE(registry_->mount("c", oci::Digest::of("layer").str(), "a")) << "a has it no longer";
  registry_->delete_manifest("b", digest);
  auto collected = now();
  EXPECT_EQ(collected.blobs, 2u);
  EXPECT_EQ(collected.bytes, 7u);
  EXPECT_EQ(files(), 0u);
  EXPECT_EQ(registry_->totals().blobs, 0u);
}

TEST_F(CollectTest, UntaggedManifestsGoOnlyWhenAsked) {
  push_image("a", "1", "before");
  auto after = push_image("a", "1", "after");
  EXPECT_EQ(now().manifests, 0u);
  auto collected = now(true);
  EXPECT_EQ(collected.manifests, 1u);
  EXPECT_EQ(collected.blobs, 1u) << "the configuration is the other's, too";
  EXPECT_TRUE(has("a", after));
}

TEST_F(CollectTest, WhatATaggedIndexListsStays) {
  auto one = push_image("a", "", "one");
  auto inner = put("a", "", index({one}), kList);
  auto outer = put("a", "all", index({inner}), kList);
  EXPECT_EQ(now(true).manifests, 0u);
  registry_->delete_manifest("a", "all");
  EXPECT_EQ(now(true).manifests, 3u);
  EXPECT_FALSE(has("a", outer));
  EXPECT_EQ(files(), 0u);
}

TEST_F(CollectTest, WhatIsAboutAManifestStaysAsLongAsThat) {
  auto image = push_image("a", "1", "image");
  auto signature = push_image("a", "", "signature", about(image));
  auto witness = push_image("a", "", "about the signature", about(signature));
  auto tagged = push_image("a", "kept", "has a tag", about(image));
  EXPECT_EQ(now(true).manifests, 0u);
  registry_->delete_manifest("a", image);
  EXPECT_EQ(now().manifests, 0u) << "only when asked";
  EXPECT_EQ(now(true).manifests, 2u);
  EXPECT_FALSE(has("a", signature));
  EXPECT_FALSE(has("a", witness));
  EXPECT_TRUE(has("a", tagged));
}

TEST_F(CollectTest, WhatIsAboutNothingThatIsThereGoes) {
  auto lost = push_image("a", "", "x", about(oci::Digest::of("never pushed").str()));
  EXPECT_EQ(now(true).manifests, 1u);
  EXPECT_FALSE(has("a", lost));
}

TEST_F(CollectTest, MoreThanOneStep) {
  for (int i = 0; i < 120; ++i) push_image("a", "", std::to_string(i));
  auto collected = now(true);
  EXPECT_EQ(collected.manifests, 120u);
  EXPECT_EQ(collected.blobs, 121u);
  EXPECT_EQ(files(), 0u);
}

TEST_F(CollectTest, UploadsEndWhenNothingComes) {
  auto id = registry_->begin_upload("a");
  registry_->append("a", id, 0, "12345");
  EXPECT_EQ(registry_->collect(false).uploads, 0u);
  auto collected = now();
  EXPECT_EQ(collected.uploads, 1u);
  EXPECT_EQ(collected.bytes, 5u);
  EXPECT_EQ(code_of([&] { registry_->upload_offset("a", id); }), Code::BLOB_UPLOAD_UNKNOWN);
}

}  // namespace
}  // namespace gantry::distribution
