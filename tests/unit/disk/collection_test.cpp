#include "collection.h"

#include <gtest/gtest.h>

#include "gantry/base/error.h"
#include "gantry/disk/budget.h"

namespace gantry::disk {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

const Timestamp kNow{hours(24 * 365 * 50)};

ImageUse image(const std::string& id, Duration unused, bool named = true, bool elsewhere = true,
               std::int64_t containers = 0) {
  ImageUse out;
  out.info.id = id;
  if (named) out.info.references = {id + ":latest"};
  if (elsewhere) out.info.digests = {id + "@sha256:x"};
  out.info.used = kNow - unused;
  out.containers = containers;
  return out;
}

std::string next(const std::vector<ImageUse>& images) {
  auto found = next_image(images, kNow);
  return found.candidate ? found.candidate->id : "";
}

TEST(Collection, WhatWasUsedLongestAgoGoesFirst) {
  EXPECT_EQ(next({image("new", hours(1)), image("old", hours(5)), image("older", hours(50))}), "older");
}

TEST(Collection, WhatAContainerHasStays) { EXPECT_EQ(next({image("used", hours(500), true, true, 1)}), ""); }

TEST(Collection, WhatWasJustUsedStaysForNow) {
  auto found = next_image({image("fresh", minutes(1))}, kNow);
  EXPECT_FALSE(found.candidate);
  EXPECT_TRUE(found.later);
}

TEST(Collection, WhatHasNoNameGoesBeforeWhatHasOne) {
  EXPECT_EQ(next({image("pulled", hours(100)), image("dangling", hours(2), false, false)}), "dangling");
  EXPECT_EQ(next({image("dangling", minutes(30), false, false)}), "");
}

TEST(Collection, WhatIsNowhereElseStaysForAWeek) {
  EXPECT_EQ(next({image("own", hours(100), true, false), image("pulled", hours(1))}), "pulled");
  EXPECT_EQ(next({image("own", hours(100), true, false)}), "");
  EXPECT_FALSE(next_image({image("own", hours(100), true, false)}, kNow).later);
  EXPECT_EQ(next({image("own", hours(200), true, false)}), "own");
}

TEST(Collection, ANameThatWasJustGivenIsAUse) {
  auto tagged = image("tagged", hours(500));
  tagged.info.tagged = kNow - minutes(1);
  EXPECT_EQ(next({tagged}), "");
}

TEST(Collection, AReserveOfTheDiskStaysFree) {
  FileSystem roomy{1000, 800}, tight{1000, 20}, full{1000, 0};
  EXPECT_EQ(within_reserve(500, 100, roomy), 500u);
  EXPECT_EQ(within_reserve(500, 100, tight), 70u);
  EXPECT_EQ(within_reserve(500, 10, full), 0u);
  EXPECT_EQ(within_reserve(std::nullopt, 10, full), std::nullopt);
  EXPECT_LT(target_of(1000), 1000u);
}

TEST(Budget, SizesSharesAndNone) {
  EXPECT_EQ(Limit::parse("20G").of(1), 20ull << 30);
  EXPECT_EQ(Limit::parse("512MiB").of(1), 512ull << 20);
  EXPECT_EQ(Limit::parse("7kb").of(1), 7ull << 10);
  EXPECT_EQ(Limit::parse("12345").of(1), 12345u);
  EXPECT_EQ(Limit::parse("40%").of(1000), 400u);
  EXPECT_EQ(Limit::parse("none").of(1000), std::nullopt);
  EXPECT_EQ(Limit::parse("40%").str(), "40%");
  for (const char* wrong : {"", "0", "0%", "101%", "G", "5X", "-1", "1.5G", "99999999999T", "5 G", "5GiBs"})
    EXPECT_THROW(Limit::parse(wrong), Error) << wrong;
}

}  // namespace
}  // namespace gantry::disk
