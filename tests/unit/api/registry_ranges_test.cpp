#include <gtest/gtest.h>

#include "gantry/distribution/error.h"
#include "registry/ranges.h"

namespace gantry::api::registry_front {
namespace {

std::optional<std::pair<std::uint64_t, std::uint64_t>> range(std::string field, std::uint64_t size = 100) {
  auto out = parse_range(&field, size);
  if (!out) return std::nullopt;
  return std::pair(out->first, out->size);
}
using Range = std::pair<std::uint64_t, std::uint64_t>;

TEST(RegistryRanges, PartsOfABlob) {
  EXPECT_EQ(range("bytes=0-9"), Range(0, 10));
  EXPECT_EQ(range("bytes=99-99"), Range(99, 1));
  EXPECT_EQ(range("bytes=90-"), Range(90, 10));
  EXPECT_EQ(range("bytes=90-1000"), Range(90, 10)) << "cut at the end";
  EXPECT_EQ(range("bytes=-10"), Range(90, 10));
  EXPECT_EQ(range("bytes=-1000"), Range(0, 100));
  EXPECT_EQ(range("bytes=0-18446744073709551615"), Range(0, 100));
  EXPECT_FALSE(range("bytes=-10", 0)) << "of nothing: all of it";
}

TEST(RegistryRanges, WhatIsNotUnderstoodIsIgnored) {
  EXPECT_FALSE(parse_range(nullptr, 100));
  for (const char* field : {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5", "bytes=9-5", "bytes=0-1,5-6",
                            "lines=0-1", "bytes= 0-1", "bytes=+1-2", "bytes=0-99999999999999999999", "bytes=--1"})
    EXPECT_FALSE(range(field)) << field;
}

TEST(RegistryRanges, BehindTheEndIsAnError) {
  EXPECT_THROW(range("bytes=100-"), distribution::RangeError);
  EXPECT_THROW(range("bytes=0-0", 0), distribution::RangeError);
  EXPECT_THROW(range("bytes=-0"), distribution::RangeError) << "no byte at all";
}

TEST(RegistryRanges, WhereAChunkBegins) {
  EXPECT_FALSE(parse_chunk_start(nullptr));
  auto start = [](std::string field) { return parse_chunk_start(&field); };
  EXPECT_EQ(start("0-9"), 0u);
  EXPECT_EQ(start("10-19"), 10u);
  EXPECT_EQ(start("bytes 10-19/*"), 10u);
  for (const char* field : {"", "-", "x-1", "-5", "1e3-2", "99999999999999999999-1"})
    EXPECT_THROW(start(field), distribution::RegistryError) << field;
}

}  // namespace
}  // namespace gantry::api::registry_front
