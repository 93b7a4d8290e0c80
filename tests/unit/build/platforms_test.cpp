#include "plan/platforms.h"

#include <gtest/gtest.h>

#include "gantry/base/error.h"

namespace gantry::build {
namespace {

const Platform kHost{"linux", "amd64", ""};

TEST(Platforms, NamesAreNormal) {
  EXPECT_EQ(parse_platform("arm64", kHost).str(), "linux/arm64");
  EXPECT_EQ(parse_platform("linux/x86_64", kHost).str(), "linux/amd64");
  EXPECT_EQ(parse_platform("linux/arm/v7", kHost).str(), "linux/arm/v7");
  EXPECT_EQ(parse_platform("local", kHost).str(), kHost.str());
  for (const char* text : {"", "/", "linux/", "a/b/c/d", "linux/am d"})
    EXPECT_THROW(parse_platform(text, kHost), Error);
}

TEST(Platforms, AVariantCountsWhenBothNameOne) {
  EXPECT_TRUE(is_for({"linux", "arm64", "v8"}, {"linux", "arm64", ""}));
  EXPECT_FALSE(is_for({"linux", "arm", "v6"}, {"linux", "arm", "v7"}));
  EXPECT_FALSE(is_for({"linux", "amd64", ""}, {"linux", "arm64", ""}));
  EXPECT_TRUE(can_run({"linux", "386", ""}, kHost));
  EXPECT_FALSE(can_run({"plan9", "amd64", ""}, kHost));
}

}  // namespace
}  // namespace gantry::build
