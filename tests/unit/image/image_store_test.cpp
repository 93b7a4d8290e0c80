#include "gantry/image/image_store.h"
#include "../error_of.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "archive_builder.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"

namespace gantry::image {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ImageStoreTest : public ::testing::Test {
 protected:
  ImageInfo import(const std::string& content, const std::string& reference) {
    auto archive = test::ArchiveBuilder().file("content", content).open();
    return images_->import(archive.get(), reference, {}, {});
  }
  fs::path layers() const { return dir_.path() / "layers"; }
  std::size_t layers_on_disk() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(layers()), fs::directory_iterator())) - 1;
  }
  bool ingest_is_empty() const { return fs::is_empty(layers() / "ingest"); }
  void restart() {
    images_.reset();
    images_ = std::make_unique<ImageStore>(database_, content_, layers());
    content_.recover();
    images_->recover();
  }

  TemporaryDirectory dir_{fs::temp_directory_path(), "gantry-image-"};
  store::Database database_{dir_.path() / "db", {schema()}};
  content::ContentStore content_{dir_.path() / "content"};
  std::unique_ptr<ImageStore> images_ = std::make_unique<ImageStore>(database_, content_, layers());
};

TEST_F(ImageStoreTest, ImportsAndResolvesByNameIdAndPrefix) {
  auto info = import("hello", "example:1");
  EXPECT_THAT(info.references, ElementsAre("example:1"));
  EXPECT_THAT(info.layers, SizeIs(1));
  EXPECT_EQ(read_file(images_->layer_path(info.layers[0]) / "content"), "hello");
  for (const auto& name : {std::string("example:1"), std::string("docker.io/library/example:1"), info.id,
                           info.id.substr(7), info.id.substr(7, 12), "example@" + info.digest})
    EXPECT_EQ(images_->resolve(name).id, info.id) << name;
  EXPECT_TRUE(ingest_is_empty());
}

TEST_F(ImageStoreTest, DiffIdIsTheDigestOfTheUncompressedTar) {
  auto plain = test::ArchiveBuilder().file("a", "x").finish();
  auto packed = test::ArchiveBuilder(ARCHIVE_FILTER_GZIP).file("a", "x").open();
  auto info = images_->import(packed.get(), "a", {}, {});
  EXPECT_EQ(info.layers.at(0), oci::Digest::of(plain).str());
  EXPECT_EQ(info.config.rootfs.diff_ids, info.layers);
}

TEST_F(ImageStoreTest, EqualLayersAreKeptOnce) {
  auto one = import("same", "one");
  auto two = import("same", "two");
  EXPECT_EQ(one.layers, two.layers);
  EXPECT_EQ(layers_on_disk(), 1u);
  images_->remove("one", false, {});
  EXPECT_EQ(images_->resolve("two").id, two.id);
  EXPECT_TRUE(fs::exists(images_->layer_path(two.layers[0])));
}

TEST_F(ImageStoreTest, RemovingTheLastNameGivesEverythingBack) {
  auto info = import("x", "one");
  images_->tag("one", "registry.example:5000/two:v2");
  EXPECT_THAT(images_->remove("one", false, {}).untagged, ElementsAre("one:latest"));
  EXPECT_EQ(images_->resolve("registry.example:5000/two:v2").id, info.id);
  auto removed = images_->remove("registry.example:5000/two:v2", false, {});
  EXPECT_THAT(removed.deleted, ElementsAre(info.id, info.layers[0]));
  EXPECT_THAT(images_->list(), IsEmpty());
  EXPECT_THAT(content_.list(), IsEmpty());
  EXPECT_EQ(layers_on_disk(), 0u);
  EXPECT_TRUE(ingest_is_empty());
}

TEST_F(ImageStoreTest, AnImageInUseStaysUntilItsContainerIsGone) {
  auto info = import("x", "one");
  std::vector<ImageUser> user{{info.id, "0123456789abcdef", false}};
  EXPECT_EQ(error_of([&] { images_->remove("one", false, user); }).kind(), ErrorKind::conflict);
  auto removed = images_->remove("one", true, user);
  EXPECT_THAT(removed.untagged, ElementsAre("one:latest"));
  EXPECT_THAT(removed.deleted, IsEmpty());
  EXPECT_EQ(images_->collect_garbage({info.id}), 0u);
  EXPECT_EQ(images_->resolve(info.id).id, info.id);
  EXPECT_GT(images_->collect_garbage({}), 0u);
  EXPECT_THAT(images_->list(), IsEmpty());
  EXPECT_EQ(layers_on_disk(), 0u);
}

TEST_F(ImageStoreTest, RemovingByIdNeedsForceForSeveralNames) {
  auto info = import("x", "one");
  images_->tag("one", "two");
  auto error = error_of([&] { images_->remove(info.id, false, {}); });
  EXPECT_THAT(error.message(), HasSubstr("(must be forced) - image is referenced in multiple repositories"));
  EXPECT_THAT(error.fix(), HasSubstr("one:latest, two:latest"));
  EXPECT_THAT(images_->remove(info.id, true, {}).untagged, SizeIs(2));
}

TEST_F(ImageStoreTest, ALeaseKeepsALayerWithoutAnImage) {
  auto lease = images_->lease();
  auto archive = test::ArchiveBuilder().file("a", "b").open();
  auto diff_id = images_->import_layer(archive.get(), *lease, {});
  images_->collect_garbage({});
  EXPECT_TRUE(fs::exists(images_->layer_path(diff_id)));
  lease.reset();
  EXPECT_GT(images_->collect_garbage({}), 0u);
  EXPECT_EQ(error_of([&] { images_->layer_path(diff_id); }).kind(), ErrorKind::not_found);
  auto late = images_->lease();
  EXPECT_EQ(error_of([&] { images_->hold(*late, diff_id); }).kind(), ErrorKind::not_found);
}

TEST_F(ImageStoreTest, ANameThatMovesLeavesTheOldImageToGarbageCollection) {
  auto old = import("old", "app");
  auto fresh = import("new", "app");
  EXPECT_EQ(images_->resolve("app").id, fresh.id);
  EXPECT_THAT(images_->list(), SizeIs(2));
  images_->collect_garbage({});
  EXPECT_THAT(images_->list(), SizeIs(1));
  EXPECT_EQ(error_of([&] { images_->resolve(old.id); }).kind(), ErrorKind::not_found);
}

TEST_F(ImageStoreTest, AnImageCommittedWithoutANameStays) {
  auto base = import("x", "base");
  auto made = images_->commit_image(base.layers, {.author = "somebody"}, "");
  images_->collect_garbage({});
  EXPECT_THAT(images_->resolve(made.id).references, IsEmpty());
  images_->remove(made.id, false, {});
  EXPECT_EQ(error_of([&] { images_->resolve(made.id); }).kind(), ErrorKind::not_found);
  EXPECT_EQ(images_->resolve("base").id, base.id);
}

TEST_F(ImageStoreTest, ManyImportsAtOnce) {
  std::vector<std::future<ImageInfo>> running;
  for (int i = 0; i < 8; ++i)
    running.push_back(std::async(std::launch::async, [&, i] {
      return import("content " + std::to_string(i / 2), "image" + std::to_string(i));
    }));
  for (auto& one : running) one.get();
  EXPECT_THAT(images_->list(), SizeIs(8));
  EXPECT_EQ(layers_on_disk(), 4u);
}

TEST_F(ImageStoreTest, AFailedImportLeavesNothing) {
  auto archive = test::ArchiveBuilder().file("good", std::string(100000, 'x')).file("../bad", "x").open();
  auto error = error_of([&] { images_->import(archive.get(), "bad", {}, {}); });
  EXPECT_EQ(error.kind(), ErrorKind::invalid);
  EXPECT_THAT(error.message(), HasSubstr("../bad"));
  EXPECT_THAT(images_->list(), IsEmpty());
  EXPECT_EQ(layers_on_disk(), 0u);
  EXPECT_TRUE(ingest_is_empty());
}

TEST_F(ImageStoreTest, RecoverRemovesWhatACrashLeft) {
  auto kept = import("kept", "kept");
  auto damaged = import("damaged", "damaged");
  fs::create_directories(layers() / "ingest" / "half" / "fs");
  auto orphan = oci::Digest::of("orphan").hex();
  fs::create_directories(layers() / orphan / "fs");
  remove_tree(layers() / damaged.layers[0].substr(7));
  restart();
  EXPECT_TRUE(ingest_is_empty());
  EXPECT_FALSE(fs::exists(layers() / orphan));
  EXPECT_THAT(images_->list(), SizeIs(1));
  EXPECT_EQ(images_->resolve("kept").id, kept.id);
  EXPECT_EQ(error_of([&] { images_->resolve("damaged"); }).kind(), ErrorKind::not_found);
}

TEST_F(ImageStoreTest, NotFoundSaysWhatToDo) {
  import("x", "guestbook-app:1");
  auto fix = [&](const std::string& name) { return error_of([&] { images_->resolve(name); }).fix(); };
  EXPECT_THAT(fix("debian:bookworm"), HasSubstr("gantry image bootstrap debian:bookworm"));
  EXPECT_THAT(fix("debian"), HasSubstr("gantry image bootstrap debian:bookworm"));
  EXPECT_THAT(fix("guestbok-app:1"), HasSubstr("did you mean guestbook-app:1?"));
  EXPECT_THAT(fix("guestbook-app:2"), HasSubstr("did you mean guestbook-app:1?"));
  EXPECT_THAT(fix("something-else"), HasSubstr("gantry build -t something-else:latest"));
  EXPECT_THAT(fix("something-else"), HasSubstr("gantry image import"));
  EXPECT_THAT(fix("sha256:" + std::string(64, 'a')), HasSubstr("gantry image ls"));
}

}  // namespace
}  // namespace gantry::image
