#include "gantry/volume/volume_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gantry/base/error.h"
#include "gantry/base/files.h"

namespace gantry::volume {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class VolumeStoreTest : public ::testing::Test {
 protected:
  ErrorKind removal(const std::string& name) {
    try {
      volumes_.remove(name);
    } catch (const Error& error) {
      message_ = error.message();
      return error.kind();
    }
    ADD_FAILURE() << name << " was removed";
    return ErrorKind::internal;
  }

  TemporaryDirectory dir_{fs::temp_directory_path(), "gantry-volume-"};
  fs::path root_ = dir_.path() / "volumes";
  store::Database database_{dir_.path() / "db", {schema()}};
  VolumeStore volumes_{database_, root_};
  ContainerId one_ = make_id<ContainerId>();
  ContainerId two_ = make_id<ContainerId>();
  std::string message_;
};

TEST_F(VolumeStoreTest, MakesAVolumeOnce) {
  bool fresh = false;
  auto info = volumes_.ensure("data", {{"key", "value"}}, false, &fresh);
  EXPECT_TRUE(fresh);
  EXPECT_EQ(info.path, root_ / "data/data");
  EXPECT_TRUE(fs::is_directory(info.path));
  volumes_.filled("data");
  auto again = volumes_.ensure("data", {{"key", "other"}}, true, &fresh);
  EXPECT_FALSE(fresh);
  EXPECT_EQ(again.labels.at("key"), "value");
  EXPECT_FALSE(again.anonymous);
  EXPECT_EQ(volumes_.inspect("data").created, info.created);
}

TEST_F(VolumeStoreTest, AVolumeThatWasNeverFilledIsStillFresh) {
  bool fresh = false;
  volumes_.ensure("data", {}, false, nullptr);
  VolumeStore restarted(database_, root_);
  restarted.recover();
  restarted.ensure("data", {}, false, &fresh);
  EXPECT_TRUE(fresh);
}

TEST_F(VolumeStoreTest, ADirectoryLostToACrashIsMadeAgain) {
  auto info = volumes_.ensure("data", {}, false, nullptr);
  remove_tree(root_ / "data");
  volumes_.ensure("data", {}, false, nullptr);
  EXPECT_TRUE(fs::is_directory(info.path));
}

TEST_F(VolumeStoreTest, ANewVolumeInheritsNothing) {
  fs::create_directories(root_ / "data/data");
  write_file(root_ / "data/data/old", "left by a removal that failed");
  auto info = volumes_.ensure("data", {}, false, nullptr);
  EXPECT_TRUE(fs::is_empty(info.path));
}

TEST_F(VolumeStoreTest, RefusesNamesThatAreNotNames) {
  for (const auto& name : {"", "..", ".trash-1", "a/b", "-a", "a b"})
    EXPECT_THROW(volumes_.ensure(name, {}, false, nullptr), Error) << name;
  EXPECT_TRUE(fs::is_empty(root_));
}

TEST_F(VolumeStoreTest, AVolumeInUseStays) {
  auto info = volumes_.ensure("data", {}, false, nullptr);
  write_file(fs::path(info.path) / "file", "precious");
  volumes_.use("data", one_);
  volumes_.use("data", one_);
  EXPECT_EQ(removal("data"), ErrorKind::conflict);
  EXPECT_THAT(message_, HasSubstr("remove data: volume is in use - [" + one_.str() + "]"));
  EXPECT_EQ(read_file(fs::path(info.path) / "file"), "precious");
  volumes_.unuse(one_);
  volumes_.remove("data");
  EXPECT_TRUE(fs::is_empty(root_));
  EXPECT_EQ(removal("data"), ErrorKind::not_found);
}

TEST_F(VolumeStoreTest, UsingWhatDoesNotExistIsNotFound) {
  EXPECT_THROW(volumes_.use("data", one_), Error);
  EXPECT_THROW(volumes_.inspect("data"), Error);
  EXPECT_THROW(volumes_.filled("data"), Error);
}

TEST_F(VolumeStoreTest, AnonymousVolumesOfAContainer) {
  volumes_.ensure("named", {}, false, nullptr);
  for (const auto& name : {"only", "shared"}) volumes_.ensure(name, {}, true, nullptr);
  for (const auto& name : {"named", "only", "shared"}) volumes_.use(name, one_);
  volumes_.use("shared", two_);
  EXPECT_THAT(volumes_.anonymous_of(one_), ElementsAre("only"));
  EXPECT_THAT(volumes_.anonymous_of(two_), IsEmpty());
}

TEST_F(VolumeStoreTest, RecoverRemovesWhatNoRowOwns) {
  volumes_.ensure("kept", {}, false, nullptr);
  fs::create_directories(root_ / "orphan/data");
  fs::create_directories(root_ / ".trash-0123/data");
  volumes_.recover();
  EXPECT_TRUE(fs::exists(root_ / "kept/data"));
  EXPECT_FALSE(fs::exists(root_ / "orphan"));
  EXPECT_FALSE(fs::exists(root_ / ".trash-0123"));
  EXPECT_EQ(volumes_.list().size(), 1u);
}

}  // namespace
}  // namespace gantry::volume
