#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cgroup.h"
#include "gantry/base/files.h"

namespace gantry::runtime {
namespace {

// Directories stand for the kernel's: what is looked at is where things are made and found.
TEST(SharedGroup, ItsMembersAreFoundUnderItsName) {
  TemporaryDirectory root("/tmp", "gantry-cgroup-");
  write_file(root.path() / "cgroup.controllers", "");
  make_directories(root.path() / "gantry-test/one");
  make_directories(root.path() / "gantry-test/shared-builds/two");
  CgroupTree tree("test", "none " + root.path().string() + " cgroup2 rw 0 0\n");
  EXPECT_THAT(tree.groups(), testing::UnorderedElementsAre("one", "shared-builds/two"));
  ContainerId id("two");
  tree.bind(id, "shared-builds/two");
  EXPECT_EQ(tree.path_of(id), "/gantry-test/shared-builds/two");
  tree.remove(id);
  EXPECT_THAT(tree.groups(), testing::ElementsAre("one"));
  tree.remove_group("one");
  tree.remove_instance();
  EXPECT_FALSE(std::filesystem::exists(root.path() / "gantry-test"));
}

}  // namespace
}  // namespace gantry::runtime
