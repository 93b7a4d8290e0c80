#include "gantry/registry/platform.h"

#include <gtest/gtest.h>

#include "gantry/base/error.h"

namespace gantry::registry {
namespace {

Platform p(std::string_view text) { return Platform::parse(text); }

TEST(Platform, IsNormalised) {
  EXPECT_EQ(p("linux/x86_64").str(), "linux/amd64");
  EXPECT_EQ(p("arm64").str(), "linux/arm64");
  EXPECT_EQ(p("linux/arm64/v8").str(), "linux/arm64");
  EXPECT_EQ(p("linux/aarch64"), p("arm64"));
  EXPECT_EQ(p("linux/armhf").str(), "linux/arm/v7");
  EXPECT_EQ(p("LINUX/ARM").str(), "linux/arm/v7");
  for (auto text : {"", "/", "linux//v8", "a/b/c/d", "linux/am d64"}) EXPECT_THROW(p(text), Error) << text;
}

TEST(Platform, TheClosestFitsBest) {
  EXPECT_EQ(fit(p("linux/amd64"), p("linux/arm64")), 0);
  EXPECT_EQ(fit(p("linux/amd64"), p("windows/amd64")), 0);
  EXPECT_GT(fit(p("linux/arm/v7"), p("linux/arm/v7")), fit(p("linux/arm/v7"), p("linux/arm/v6")));
  EXPECT_GT(fit(p("linux/arm/v7"), p("linux/arm/v6")), fit(p("linux/arm/v7"), p("linux/arm/v5")));
  EXPECT_EQ(fit(p("linux/arm/v6"), p("linux/arm/v7")), 0);
  EXPECT_GT(fit(p("linux/amd64"), p("linux/amd64")), fit(p("linux/amd64"), p("linux/amd64/v3")));
}

}  // namespace
}  // namespace gantry::registry
