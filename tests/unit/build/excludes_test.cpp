#include "layer/excludes.h"

#include <gtest/gtest.h>

namespace gantry::build {
namespace {

TEST(Excludes, TheLastRuleDecides) {
  Excludes rules({"*.md", "docs", "!docs/keep.md", "docs/keep.md/x"});
  EXPECT_TRUE(rules.has_exceptions());
  EXPECT_TRUE(rules.match("a.md"));
  EXPECT_FALSE(rules.match("a.txt"));
  EXPECT_TRUE(rules.match("docs/a.txt"));
  EXPECT_FALSE(rules.match("docs/keep.md"));
  EXPECT_TRUE(rules.match("docs/keep.md/x"));
  EXPECT_FALSE(Excludes({}).match("a"));
}

}  // namespace
}  // namespace gantry::build
