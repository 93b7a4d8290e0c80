#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>

#include "../error_of.h"
#include "archive_builder.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/base/json.h"
#include "gantry/image/archive.h"
#include "gantry/image/image_store.h"

namespace gantry::image {
namespace {

namespace fs = std::filesystem;
namespace bj = boost::json;
using test::ArchiveBuilder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A machine: its images and where they are.
struct Machine {
  TemporaryDirectory dir{fs::temp_directory_path(), "gantry-save-"};
  store::Database database{dir.path() / "db", {schema()}};
  content::ContentStore content{dir.path() / "content"};
  ImageStore images{database, content, dir.path() / "layers"};

  std::string save(const std::vector<std::string>& references) {
    std::string out;
    images.save(references, [&](std::string_view piece) { out += piece; });
    return out;
  }
  std::vector<ImageStore::Loaded> load(const std::string& archive) {
    Fd fd = test::file_of(archive);
    return images.load(fd.get(), {});
  }
  std::string tar_of(const std::string& diff_id) {
    std::string out;
    images.write_layer(diff_id, [&](std::string_view piece) { out += piece; });
    return out;
  }
};

ArchiveBuilder some_files(int format = ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE) {
  ArchiveBuilder builder(ARCHIVE_FILTER_NONE, format);
  builder.directory("etc", 0755).file("etc/passwd", "root:x:0:0::/:/bin/sh\n").file("empty", "");
  builder.file("big", std::string(3u << 20, 'b')).hard_link("again", "big").symlink("link", "etc/passwd");
  builder.file(".wh.gone", "").file("etc/odd", std::string(513, 'o'), 04755);
  return builder;
}

class RecipeTest : public ::testing::TestWithParam<int> {};

TEST_P(RecipeTest, ATarFromOutsideIsMadeAgainByteForByte) {
  Machine machine;
  auto plain = some_files(GetParam()).finish();
  Fd fd = test::file_of(plain);
  auto info = machine.images.import(fd.get(), "app:1", {}, {});
  EXPECT_EQ(info.layers[0], oci::Digest::of(plain).str());
  EXPECT_EQ(machine.tar_of(info.layers[0]), plain);
  EXPECT_EQ(machine.images.layer_bytes(info.layers[0]), plain.size());
}

INSTANTIATE_TEST_SUITE_P(Formats, RecipeTest,
                         ::testing::Values(ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE, ARCHIVE_FORMAT_TAR_USTAR,
                                           ARCHIVE_FORMAT_TAR_GNUTAR));

TEST(Recipe, HolesComeBackAsTheyWereSent) {
  Machine machine;
  ArchiveBuilder builder;
  builder.file("sparse", std::string(1u << 20, '\0') + "end", 0644,
               [](::archive_entry* entry) { archive_entry_sparse_add_entry(entry, 1 << 20, 3); });
  auto plain = builder.file("after", "x").finish();
  Fd fd = test::file_of(plain);
  auto info = machine.images.import(fd.get(), "app:1", {}, {});
  EXPECT_EQ(machine.tar_of(info.layers[0]), plain);
}

TEST(Recipe, SaysSoWhenTheTarCannotBeMadeAgain) {
  Machine machine;
  Fd fd = ArchiveBuilder().file("a", "first").file("a", "second").open();
  auto info = machine.images.import(fd.get(), "app:1", {}, {});
  EXPECT_EQ(error_of([&] { machine.tar_of(info.layers[0]); }).kind(), ErrorKind::unsupported);
}

TEST(Recipe, NoticesAChangedFile) {
  Machine machine;
  Fd fd = some_files().open();
  auto info = machine.images.import(fd.get(), "app:1", {}, {});
  auto file = machine.images.layer_path(info.layers[0]) / "etc/passwd";
  write_file(file, "root:x:0:0::/:/bin/zh\n");
  EXPECT_EQ(error_of([&] { machine.tar_of(info.layers[0]); }).kind(), ErrorKind::conflict);
  write_file(file, "short");
  EXPECT_EQ(error_of([&] { machine.tar_of(info.layers[0]); }).kind(), ErrorKind::conflict);
}

TEST(SaveAndLoad, AnImageIsTheSameOnAnotherMachine) {
  Machine here, there;
  Fd fd = some_files().open();
  oci::ImageConfig config;
  config.config.Cmd = std::vector<std::string>{"/bin/sh"};
  auto made = here.images.import(fd.get(), "registry.example:5000/team/app:1", config, {});
  here.images.tag(made.id, "app:latest");
  auto archive = here.save({"registry.example:5000/team/app:1", "app"});
  auto loaded = there.load(archive);
  ASSERT_THAT(loaded, SizeIs(1));
  EXPECT_EQ(loaded[0].image.id, made.id);
  EXPECT_THAT(loaded[0].names, ElementsAre("registry.example:5000/team/app:1", "app:latest"));
  EXPECT_EQ(there.tar_of(made.layers[0]), here.tar_of(made.layers[0]));
  EXPECT_EQ(there.save({"registry.example:5000/team/app:1", "app"}), archive);
  EXPECT_TRUE(fs::is_empty(there.dir.path() / "layers" / "ingest"));
}

TEST(SaveAndLoad, ARepositoryBringsAllItsTagsAndAnIdNone) {
  Machine here, there;
  Fd one = ArchiveBuilder().file("a", "1").open(), two = ArchiveBuilder().file("a", "2").open();
  auto first = here.images.import(one.get(), "app:1", {}, {});
  here.images.import(two.get(), "app:2", {}, {});
  EXPECT_THAT(there.load(here.save({"app"})), SizeIs(2));
  EXPECT_EQ(there.images.resolve("app:1").id, first.id);
  Machine third;
  auto loaded = third.load(here.save({first.id}));
  EXPECT_THAT(loaded.at(0).names, IsEmpty());
  third.images.collect_garbage({});
  EXPECT_EQ(third.images.resolve(first.id).id, first.id);
}

TEST(SaveAndLoad, TellsWhoLostItsName) {
  Machine here, there;
  Fd one = ArchiveBuilder().file("a", "1").open(), two = ArchiveBuilder().file("a", "2").open();
  here.images.import(one.get(), "app", {}, {});
  auto old = there.images.import(two.get(), "app", {}, {});
  EXPECT_THAT(there.load(here.save({"app"})).at(0).replaced, ElementsAre("app:latest " + old.id));
}

/// The parts of an image, for archives made by hand.
struct Parts {
  std::string layer = ArchiveBuilder().file("file", "content").finish();
  std::string diff_id = oci::Digest::of(layer).str();
  std::string config = R"({"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[")" +
                       diff_id + R"("]},"extra":{"kept":true}})";
  std::string id = oci::Digest::of(config).str();
};

TEST(Load, AnArchiveOfAnOldDockerWithLinkedLayers) {
  Parts parts;
  Machine machine;
  auto archive =
      ArchiveBuilder()
          .file("a1/layer.tar", parts.layer)
          .symlink("b2/layer.tar", "../a1/layer.tar")
          .file("config.json", parts.config)
          .file("manifest.json", R"([{"Config":"config.json","RepoTags":["old:1"],"Layers":["b2/layer.tar"]}])")
          .finish();
  auto loaded = machine.load(archive);
  EXPECT_EQ(loaded.at(0).image.id, parts.id);
  EXPECT_EQ(machine.content.read(oci::Digest::parse(parts.id)), parts.config);
}

std::string layout(const Parts& parts, const std::string& layer, const std::string& annotation) {
  auto layer_digest = oci::Digest::of(layer).str();
  auto blob = [](const std::string& digest) { return "blobs/sha256/" + digest.substr(7); };
  auto manifest = bj::serialize(bj::object{
      {"schemaVersion", 2},
      {"config", {{"mediaType", "application/vnd.oci.image.config.v1+json"}, {"digest", parts.id}, {"size", 1}}},
      {"layers",
       {{{"mediaType", "application/vnd.oci.image.layer.v1.tar+gzip"}, {"digest", layer_digest}, {"size", 1}}}}});
  auto manifest_digest = oci::Digest::of(manifest).str();
  bj::object entry{
      {"mediaType", "application/vnd.oci.image.manifest.v1+json"}, {"digest", manifest_digest}, {"size", 1}};
  entry["annotations"] = bj::object{{"org.opencontainers.image.ref.name", annotation}};
  auto index = bj::serialize(bj::object{{"schemaVersion", 2}, {"manifests", bj::array{entry}}});
  return ArchiveBuilder()
      .file("oci-layout", R"({"imageLayoutVersion":"1.0.0"})")
      .file("index.json", index)
      .file(blob(manifest_digest), manifest)
      .file(blob(parts.id), parts.config)
      .file(blob(layer_digest), layer)
      .finish();
}

TEST(Load, AnOciLayoutWithACompressedLayer) {
  Parts parts;
  Machine machine;
  auto packed = ArchiveBuilder(ARCHIVE_FILTER_GZIP).file("file", "content").finish();
  auto loaded = machine.load(layout(parts, packed, "name:tag"));
  EXPECT_EQ(loaded.at(0).image.id, parts.id);
  EXPECT_THAT(loaded.at(0).names, ElementsAre("name:tag"));
  Machine other;
  EXPECT_THAT(other.load(layout(parts, packed, "1.0")).at(0).names, IsEmpty());
}

void expect_refused(const std::string& archive, const std::string& why) {
  Machine machine;
  auto error = error_of([&] { machine.load(archive); });
  EXPECT_EQ(error.kind(), ErrorKind::invalid) << error.message();
  EXPECT_THAT(error.message(), HasSubstr(why));
  EXPECT_THAT(machine.images.list(), IsEmpty());
  EXPECT_TRUE(fs::is_empty(machine.dir.path() / "layers" / "ingest"));
}

TEST(Load, RefusesWhatDoesNotAgreeWithItself) {
  Parts parts;
  auto docker = [&](const std::string& manifest, const std::string& layer) {
    return ArchiveBuilder().file("l", layer).file("c", parts.config).file("manifest.json", manifest).finish();
  };
  std::string good = R"([{"Config":"c","RepoTags":null,"Layers":["l"]}])";
  expect_refused(docker(good, ArchiveBuilder().file("file", "other").finish()), "has the digest");
  expect_refused(docker(R"([{"Config":"c","RepoTags":["x"],"Layers":["l","l"]}])", parts.layer), "lists 2 layers");
  expect_refused(docker(R"([{"Config":"c","RepoTags":["UPPER"],"Layers":["l"]}])", parts.layer), "UPPER");
  expect_refused(docker(R"([{"Config":"gone","Layers":["l"]}])", parts.layer), "\"gone\" is not in it");
  expect_refused(docker("[]", parts.layer), "no image");
  expect_refused(docker("{", parts.layer), "manifest.json");
  expect_refused(ArchiveBuilder().file("etc/passwd", "x").finish(), "neither manifest.json nor index.json");
  expect_refused("no tar at all", "not a tar");
}

TEST(Load, FollowsNothingOutOfTheArchive) {
  Parts parts;
  TemporaryDirectory outside(fs::temp_directory_path(), "gantry-outside-");
  write_file(outside.path() / "config.json", parts.config);
  auto path = (outside.path() / "config.json").string();
  auto archive = [&](const std::string& config) {
    return ArchiveBuilder()
        .file("l", parts.layer)
        .symlink("c", path)
        .symlink("up", "../../../../../../../.." + path)
        .file("manifest.json", R"([{"Config":")" + config + R"(","RepoTags":["x"],"Layers":["l"]}])")
        .finish();
  };
  for (const auto& config : {std::string("c"), std::string("up"), path, "../../../../../../../.." + path})
    expect_refused(archive(config), "is not in it");
  expect_refused(ArchiveBuilder().node("manifest.json", AE_IFIFO).finish(), "is not a file");
  expect_refused(ArchiveBuilder().file("../manifest.json", "[]").finish(), "../manifest.json");
}

TEST(History, GivesEachLayerItsSizeAndShowsWhatIsNotMentioned) {
  Machine machine;
  auto held = machine.images.lease();
  Fd one = ArchiveBuilder().file("a", std::string(100000, 'a')).open(), two = ArchiveBuilder().file("b", "b").open();
  auto first = machine.images.import_layer(one.get(), *held, {});
  auto second = machine.images.import_layer(two.get(), *held, {});
  oci::ImageConfig config;
  config.history = {{.created_by = "base", .comment = "imported"}, {.created_by = "ENV A=b", .empty_layer = true}};
  machine.images.commit_image({first, second}, config, "app");
  auto history = machine.images.history("app");
  ASSERT_THAT(history, SizeIs(3));
  EXPECT_EQ(history[2].created_by, "base");
  EXPECT_GE(history[2].size, 100000u);
  EXPECT_TRUE(history[1].empty);
  EXPECT_EQ(history[1].size, 0u);
  EXPECT_EQ(history[0].created_by, "");
  EXPECT_GT(history[0].size, 0u);
}

}  // namespace
}  // namespace gantry::image
