#include "copy_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gantry/base/error.h"

namespace gantry::cli {
namespace {

using testing::Contains;
using testing::HasSubstr;

TEST(CopyPlan, TellsContainersFromPaths) {
  auto path = parse_container_path("web:etc/hosts");
  ASSERT_TRUE(path.has_value());
  EXPECT_EQ(path->name, "web");
  EXPECT_EQ(path->path, "/etc/hosts");
  for (const char* here : {"/a:b", "./a:b", "../a:b", "a", "-", ":x"}) EXPECT_FALSE(parse_container_path(here)) << here;
}

TEST(CopyPlan, AFileBecomesTheTargetOrGoesIntoIt) {
  auto fresh = plan_copy("/a/one", Kind::other, "/b/two", Kind::none);
  EXPECT_EQ(fresh.into, "/b");
  EXPECT_EQ(fresh.name, "two");
  auto inside = plan_copy("/a/one", Kind::other, "/b", Kind::directory);
  EXPECT_EQ(inside.into, "/b");
  EXPECT_EQ(inside.name, "one");
  EXPECT_THROW(plan_copy("/a/one", Kind::other, "/b/", Kind::none), Error);
}

TEST(CopyPlan, ADirectoryGoesIntoTheTargetUnlessItsContentIsMeant) {
  auto inside = plan_copy("/a/dir", Kind::directory, "/b", Kind::directory);
  EXPECT_EQ(inside.name, "dir");
  auto content = plan_copy("/a/dir/.", Kind::directory, "/b", Kind::directory);
  EXPECT_EQ(content.name, "");
  EXPECT_EQ(content.from, "/a/dir");
  auto fresh = plan_copy("/a/dir/.", Kind::directory, "/b/new/", Kind::none);
  EXPECT_EQ(fresh.into, "/b");
  EXPECT_EQ(fresh.name, "new");
  EXPECT_THROW(plan_copy("/a/dir", Kind::directory, "/b/file", Kind::other), Error);
  EXPECT_EQ(plan_copy("/", Kind::directory, "/b", Kind::directory).name, "");
}

TEST(CopyPlan, NamesWithTarsOwnCharactersAreQuoted) {
  auto plan = plan_copy("/a/x", Kind::other, "/b/a,b&c\\d", Kind::none);
  EXPECT_THAT(unpack_command(plan, false), Contains(HasSubstr("a\\,b\\&c\\\\d")));
}

}  // namespace
}  // namespace gantry::cli
