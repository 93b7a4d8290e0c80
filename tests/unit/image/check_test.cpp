#include "gantry/image/check.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "archive_builder.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/image/image_store.h"

namespace gantry::image {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class CheckTest : public ::testing::Test {
 protected:
  static test::ArchiveBuilder archive() {
    test::ArchiveBuilder out;
    out.directory("dir", 0750)
        .file("dir/file", "some content", 0640)
        .file("dir/other", std::string(200'000, 'x'))
        .file("empty", "")
        .symlink("link", "dir/file")
        .hard_link("second", "dir/file")
        .file("dir/.wh.gone", "")
        .file("implied/below/file", "y", 04755);
    return out;
  }
  ImageInfo import(const std::string& name = "one") { return images_.import(archive().open().get(), name, {}, {}); }
  fs::path tree(const ImageInfo& image) const { return images_.layer_path(image.layers.at(0)); }
  CheckReport check(const std::vector<std::string>& references = {}) { return images_.check(references, {}); }
  /// What is said of the only damage, "path problem" a line.
  std::vector<std::string> faults() {
    auto report = check();
    std::vector<std::string> out;
    for (const auto& damage : report.damages)
      for (const auto& file : damage.files) out.push_back(file.path + " " + file.problem);
    return out;
  }
  /// Whatever was done, the next import of the same archive makes it good.
  void expect_replaced() {
    import();
    EXPECT_THAT(check().damages, IsEmpty());
  }
  static void write(const fs::path& path, const std::string& text) {
    struct stat before {};
    ASSERT_EQ(::lstat(path.c_str(), &before), 0);
    { std::ofstream(path, std::ios::in | std::ios::out) << text; }
    timespec times[2] = {before.st_mtim, before.st_mtim};
    ::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW);
  }

  TemporaryDirectory dir_{fs::temp_directory_path(), "gantry-check-"};
  store::Database database_{dir_.path() / "db", {schema()}};
  content::ContentStore content_{dir_.path() / "content"};
  ImageStore images_{database_, content_, dir_.path() / "layers"};
};

TEST_F(CheckTest, WhatIsAsItShouldBeIsClean) {
  import();
  auto report = check();
  EXPECT_THAT(report.damages, IsEmpty());
  EXPECT_THAT(report.unchecked, IsEmpty());
  EXPECT_EQ(report.images, 1u);
  EXPECT_EQ(report.layers, 1u);
  EXPECT_EQ(report.files, 10u);
}

TEST_F(CheckTest, AChangedFileIsNamed) {
  auto image = import();
  write(tree(image) / "dir/file", "SOME CONTENT");
  auto report = check();
  ASSERT_THAT(report.damages, SizeIs(1));
  const auto& damage = report.damages[0];
  EXPECT_EQ(damage.part, DamagedPart::layer);
  EXPECT_EQ(damage.digest, image.layers[0]);
  EXPECT_THAT(damage.images, ElementsAre("one:latest"));
  EXPECT_THAT(damage.fix, HasSubstr("load or import the image again"));
  ASSERT_THAT(damage.files, SizeIs(1));
  EXPECT_EQ(damage.files[0].path, "dir/file");
  EXPECT_THAT(damage.files[0].problem, HasSubstr("other content"));
  expect_replaced();
}

TEST_F(CheckTest, MissingShorterAndForeignFilesAreNamed) {
  auto image = import();
  fs::remove(tree(image) / "implied/below/file");
  fs::resize_file(tree(image) / "dir/other", 100'000);
  std::ofstream(tree(image) / "dir/foreign") << "z";
  EXPECT_THAT(faults(), testing::IsSupersetOf({HasSubstr("implied/below/file is missing"),
                                               HasSubstr("dir/other has 100000 bytes, not 200000"),
                                               HasSubstr("dir/foreign is there, and the layer has no such file")}));
  expect_replaced();
}

TEST_F(CheckTest, AttributesAreCompared) {
  auto image = import();
  ::chmod((tree(image) / "dir").c_str(), 0777);
  timespec times[2] = {{1, 0}, {1, 0}};
  ::utimensat(AT_FDCWD, (tree(image) / "empty").c_str(), times, 0);
  if (::setxattr((tree(image) / "empty").c_str(), "user.note", "x", 1, 0) == 0) {
    EXPECT_THAT(faults(), testing::Contains(HasSubstr("dir has the mode 0777, not 0750")));
  }
  EXPECT_THAT(faults(), testing::Contains(HasSubstr("empty has the time 1, not 1700000000")));
  expect_replaced();
}

TEST_F(CheckTest, LinksAndDeletionsAreCompared) {
  auto image = import();
  fs::remove(tree(image) / "link");
  fs::create_symlink("elsewhere", tree(image) / "link");
  fs::remove(tree(image) / "second");
  std::ofstream(tree(image) / "second") << "some content";
  fs::remove(tree(image) / "dir/gone");
  std::ofstream(tree(image) / "dir/gone") << "";
  EXPECT_THAT(faults(), testing::IsSupersetOf({HasSubstr("link points to \"elsewhere\", not to \"dir/file\""),
                                               HasSubstr("second is not the same file as \"dir/file\" any more"),
                                               HasSubstr("dir/gone is a regular file, not a deletion")}));
  expect_replaced();
}

TEST_F(CheckTest, ALayerWhoseFilesAreGoneIsFoundAndReplaced) {
  auto image = import();
  fs::remove_all(tree(image).parent_path());
  auto report = check();
  ASSERT_THAT(report.damages, SizeIs(1));
  EXPECT_THAT(report.damages[0].problem, HasSubstr("its files are gone"));
  expect_replaced();
}

TEST_F(CheckTest, ADamagedRecipeIsNamed) {
  auto image = import();
  auto recipe = tree(image).parent_path() / "recipe";
  fs::resize_file(recipe, fs::file_size(recipe) / 2);
  EXPECT_THAT(check().damages, SizeIs(1));
  expect_replaced();
}

TEST_F(CheckTest, DamagedLayersAreNotTakenForGranted) {
  auto image = import();
  write(tree(image) / "dir/file", "SOME CONTENT");
  check();
  auto lease = images_.lease();
  EXPECT_THROW(images_.hold(*lease, image.layers[0]), Error);
  write(tree(image) / "dir/file", "some content");
  check();
  images_.hold(*lease, image.layers[0]);
}

TEST_F(CheckTest, WhoHasTheOldLayerKeepsItUntilItIsDropped) {
  auto image = import();
  Fd old = open_file(tree(image).string(), O_RDONLY | O_DIRECTORY);
  write(tree(image) / "dir/file", "SOME CONTENT");
  check();
  import();
  images_.drop_replaced({image.layers[0]});
  EXPECT_EQ(::faccessat(old.get(), "dir/file", F_OK, 0), 0);
  EXPECT_EQ(read_file(tree(image) / "dir/file"), "some content");
  images_.recover();
  EXPECT_EQ(::faccessat(old.get(), "dir/file", F_OK, 0), 0) << "containers outlive the daemon";
  images_.drop_replaced({});
  EXPECT_NE(::faccessat(old.get(), "dir/file", F_OK, 0), 0);
}

TEST_F(CheckTest, DamagedConfigurationsAndManifestsAreFoundAndRestored) {
  auto image = import();
  auto other = images_.import(test::ArchiveBuilder().file("a", "b").open().get(), "two", {}, {});
  auto blob = [&](const std::string& digest) { return dir_.path() / "content/sha256" / digest.substr(7); };
  auto manifest = read_file(blob(image.digest));
  auto config = read_file(blob(image.id));
  std::ofstream(blob(image.digest)) << "{}";
  std::ofstream(blob(image.id)) << "{}";
  auto report = check();
  ASSERT_THAT(report.damages, SizeIs(2));
  EXPECT_THAT(images_.list(), SizeIs(1)) << "the others are listed all the same";
  EXPECT_THROW(images_.restore_blob(image.id, "something else"), Error);
  images_.restore_blob(image.id, config);
  images_.restore_blob(image.digest, images_.remake_manifest(image.id));
  EXPECT_EQ(read_file(blob(image.digest)), manifest);
  EXPECT_THAT(check().damages, IsEmpty());
  EXPECT_EQ(check({"two"}).images, 1u);
}

TEST_F(CheckTest, BuiltLayersAreCheckedByTheirRules) {
  auto upper = dir_.path() / "upper";
  fs::create_directories(upper / "a");
  std::ofstream(upper / "a/b") << "text";
  auto lease = images_.lease();
  auto diff_id = images_.commit_layer(upper, {}, lease.get());
  images_.commit_image({diff_id}, {}, "built");
  EXPECT_THAT(check().damages, IsEmpty());
  auto file = images_.layer_path(diff_id) / "a/b";
  ::usleep(20'000);  // beyond the file system's clock tick
  write(file, "TEXT");
  auto report = check();
  ASSERT_THAT(report.damages, SizeIs(1));
  EXPECT_THAT(report.damages[0].problem, HasSubstr("its files make up a layer with the digest"));
  EXPECT_THAT(report.damages[0].fix, HasSubstr("build the image again"));
  ASSERT_THAT(report.damages[0].files, SizeIs(1));
  EXPECT_EQ(report.damages[0].files[0].path, "a/b");
}

}  // namespace
}  // namespace gantry::image
