#include "gantry/base/time.h"

#include <gtest/gtest.h>

namespace {
using namespace gantry;
using namespace std::chrono_literals;

TEST(Time, Rfc3339RoundTrips) {
  auto time = from_rfc3339("2026-11-21T08:30:00.123456789Z");
  ASSERT_TRUE(time);
  EXPECT_EQ(to_rfc3339(*time), "2026-11-21T08:30:00.123456789Z");
  EXPECT_EQ(from_rfc3339("2026-11-21T10:30:00.123456789+02:00"), time);
  EXPECT_FALSE(from_rfc3339("2026-11-21"));
  EXPECT_FALSE(from_rfc3339("2026-11-21T08:30:00Zx"));
  EXPECT_FALSE(from_rfc3339("0026-11-21T08:30:00Z"));
  EXPECT_FALSE(from_rfc3339("2999-11-21T08:30:00Z"));
}

TEST(Time, ParsesDurationsAsComposeWritesThem) {
  EXPECT_EQ(parse_duration("1m30s"), 90s);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("250us"), 250us);
  for (auto bad : {"", "5", "s", "1x", "1m-2s", "9999999h"}) EXPECT_FALSE(parse_duration(bad)) << bad;
  EXPECT_EQ(to_string(Duration(90s)), "1m30s");
  EXPECT_EQ(to_string(Duration(0)), "0s");
}

TEST(Time, ParsesSizes) {
  EXPECT_EQ(parse_bytes("64k"), 65536u);
  EXPECT_EQ(parse_bytes("1.5GiB"), 1610612736u);
  EXPECT_EQ(parse_bytes("100"), 100u);
  for (auto bad : {"", "x", "5q", "-1", "1kbb"}) EXPECT_FALSE(parse_bytes(bad)) << bad;
  EXPECT_EQ(human_bytes(12'345'678), "12.3 MB");
}

}  // namespace
