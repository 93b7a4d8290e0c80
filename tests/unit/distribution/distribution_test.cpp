#include <gmock/gmock.h>
#include <unistd.h>

#include "fixture.h"

namespace gantry::distribution {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DistributionTest : public Fixture {};

std::string read(const Blob& blob) {
  std::string out(blob.size(), '\0');
  EXPECT_EQ(::pread(blob.file()->get(), out.data(), out.size(), 0), static_cast<ssize_t>(out.size()));
  return out;
}

TEST_F(DistributionTest, ABlobIsSeenOnlyByRepositoriesThatHaveIt) {
  auto digest = push_blob("a", "data");
  EXPECT_EQ(read(registry_->open_blob("a", digest)), "data");
  EXPECT_FALSE(registry_->blob_size("b", digest));
  EXPECT_EQ(code_of([&] { registry_->open_blob("b", digest); }), Code::BLOB_UNKNOWN);
  EXPECT_FALSE(registry_->mount("b", digest, "c"));
  EXPECT_TRUE(registry_->mount("b", digest, "a"));
  EXPECT_EQ(registry_->blob_size("b", digest), 4u);
  registry_->delete_blob("a", digest);
  EXPECT_EQ(read(registry_->open_blob("b", digest)), "data") << "the other repository keeps it";
  registry_->delete_blob("b", digest);
  EXPECT_EQ(files(), 0u);
}

TEST_F(DistributionTest, UploadsGoOnWhereTheyStand) {
  auto id = registry_->begin_upload("a");
  EXPECT_EQ(registry_->append("a", id, 0, "da"), 2u);
  EXPECT_THROW(registry_->append("a", id, 0, "da"), RangeError);
  EXPECT_THROW(registry_->append("a", id, 3, "a"), RangeError);
  EXPECT_EQ(registry_->upload_offset("a", id), 2u);
  start();
  EXPECT_EQ(registry_->upload_offset("a", id), 2u);
  EXPECT_EQ(registry_->append("a", id, std::nullopt, "ta"), 4u);
  auto digest = oci::Digest::of("data").str();
  EXPECT_EQ(code_of([&] { registry_->finish_upload("b", id, digest); }), Code::BLOB_UPLOAD_UNKNOWN)
      << "another repository's";
  registry_->finish_upload("a", id, digest);
  EXPECT_EQ(read(registry_->open_blob("a", digest)), "data");
  EXPECT_EQ(code_of([&] { registry_->append("a", id, std::nullopt, "x"); }), Code::BLOB_UPLOAD_UNKNOWN);
}

TEST_F(DistributionTest, WhatHasAnotherDigestIsNotKept) {
  auto id = registry_->begin_upload("a");
  registry_->append("a", id, 0, "data");
  EXPECT_EQ(code_of([&] { registry_->finish_upload("a", id, oci::Digest::of("other").str()); }), Code::DIGEST_INVALID);
  EXPECT_EQ(code_of([&] { registry_->upload_offset("a", id); }), Code::BLOB_UPLOAD_UNKNOWN);
  EXPECT_EQ(files(), 0u);
}

TEST_F(DistributionTest, UploadIdsAreNoPaths) {
  for (const auto& id : {std::string(".."), std::string("../../db"), std::string(), std::string(32, '/'),
                         std::string(31, 'a') + "G", std::string(33, 'a')})
    EXPECT_EQ(code_of([&] { registry_->append("a", id, std::nullopt, "x"); }), Code::BLOB_UPLOAD_UNKNOWN) << id;
}

TEST_F(DistributionTest, AManifestNeedsAllItNames) {
  auto layer = push_blob("a", "layer");
  EXPECT_EQ(code_of([&] { put("a", "1", image(layer)); }), Code::MANIFEST_BLOB_UNKNOWN) << "no configuration";
  push_blob("a", "{}");
  auto digest = put("a", "1", image(layer));
  EXPECT_EQ(registry_->manifest("a", "1").digest.str(), digest);
  EXPECT_EQ(registry_->manifest("a", digest).text, image(layer)) << "byte for byte";
  EXPECT_EQ(code_of([&] { put("b", "1", image(layer)); }), Code::MANIFEST_BLOB_UNKNOWN) << "another's blobs";
  EXPECT_EQ(code_of([&] { put("a", "2", index({"sha256:" + std::string(64, '0')}), kList); }),
            Code::MANIFEST_BLOB_UNKNOWN);
  EXPECT_EQ(code_of([&] { registry_->manifest("a", "2"); }), Code::MANIFEST_UNKNOWN);
  EXPECT_EQ(code_of([&] { registry_->manifest("none", "2"); }), Code::NAME_UNKNOWN);
  EXPECT_EQ(code_of([&] { put("a", oci::Digest::of("x").str(), image(layer)); }), Code::DIGEST_INVALID);
  EXPECT_EQ(code_of([&] { put("a", "-x", image(layer)); }), Code::MANIFEST_INVALID);
}

TEST_F(DistributionTest, WhatIsNeededIsNotDeleted) {
  auto digest = push_image("a", "1", "layer");
  auto list = put("a", "all", index({digest}), kList);
  EXPECT_EQ(code_of([&] { registry_->delete_blob("a", oci::Digest::of("layer").str()); }), Code::DENIED);
  EXPECT_EQ(code_of([&] { registry_->delete_manifest("a", digest); }), Code::DENIED);
  registry_->delete_manifest("a", "1");
  EXPECT_TRUE(has("a", digest)) << "a tag is not its manifest";
  registry_->delete_manifest("a", list);
  EXPECT_FALSE(has("a", "all"));
  registry_->delete_manifest("a", digest);
  registry_->delete_blob("a", oci::Digest::of("layer").str());
}

TEST_F(DistributionTest, ImmutableTagsStayWhatTheyAre) {
  auto one = push_image("team/app", "v1", "one");
  put("team/app", "v1", image(oci::Digest::of("one").str()));  // the same again
  auto two = push_image("team/app", "latest", "two");
  EXPECT_EQ(code_of([&] { put("team/app", "v1", image(oci::Digest::of("two").str())); }), Code::DENIED);
  EXPECT_EQ(registry_->manifest("team/app", "v1").digest.str(), one);
  EXPECT_EQ(code_of([&] { registry_->delete_manifest("team/app", "v1"); }), Code::DENIED);
  EXPECT_EQ(code_of([&] { registry_->delete_manifest("team/app", one); }), Code::DENIED);
  registry_->delete_manifest("team/app", two);
  push_image("team/deep/app", "v1", "one");
  push_image("team/deep/app", "v1", "two");  // "*" stops at '/'
}

TEST_F(DistributionTest, ListsComeInPages) {
  for (const char* tag : {"c", "a", "B", "d"}) push_image("one", tag, "x");
  push_image("two", "1", "x");
  auto first = registry_->tags("one", 2, "");
  EXPECT_THAT(first.names, ElementsAre("B", "a"));
  EXPECT_TRUE(first.more);
  auto last = registry_->tags("one", 2, "a");
  EXPECT_THAT(last.names, ElementsAre("c", "d"));
  EXPECT_FALSE(last.more);
  EXPECT_THAT(registry_->tags("one", 0, "").names, IsEmpty());
  EXPECT_THAT(registry_->repositories(1, "one").names, ElementsAre("two"));
  EXPECT_EQ(code_of([&] { registry_->tags("none", 2, ""); }), Code::NAME_UNKNOWN);
}

TEST_F(DistributionTest, ReferrersByKind) {
  auto subject = oci::Digest::of("not here yet").str();
  auto one = push_image("a", "", "sum", {{"artifactType", "test/sum"}, {"subject", descriptor(kImage, subject)}});
  push_image("a", "", "other", {{"artifactType", "test/other"}, {"subject", descriptor(kImage, subject)}});
  EXPECT_EQ(registry_->referrers("a", subject, "").size(), 2u);
  auto sums = registry_->referrers("a", subject, "test/sum");
  ASSERT_EQ(sums.size(), 1u);
  EXPECT_EQ(sums[0].digest, one);
  EXPECT_THAT(registry_->referrers("b", subject, ""), IsEmpty());
}

TEST_F(DistributionTest, ACrashBetweenFileAndRowLeavesNothing) {
  auto digest = push_blob("a", "kept");
  content::ContentStore(options_.root).write("without a row");
  write_file(options_.root / "uploads" / std::string(32, 'a'), "without a row");
  EXPECT_EQ(files(), 3u);
  start();
  EXPECT_EQ(files(), 1u);
  EXPECT_EQ(registry_->blob_size("a", digest), 4u);
}

}  // namespace
}  // namespace gantry::distribution
