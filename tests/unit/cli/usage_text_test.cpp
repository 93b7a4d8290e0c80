#include "usage_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gantry::cli {
namespace {

using testing::HasSubstr;

Reading reading() {
  Reading out;
  out.name = "web";
  out.before.time = Timestamp(std::chrono::seconds(1));
  out.before.cpu_nanos = 1'000;
  out.before.host_cpu_nanos = 10'000;
  out.now.cpu_nanos = 2'000;
  out.now.host_cpu_nanos = 18'000;
  out.now.processors = 4;
  return out;
}

TEST(UsageText, ProcessorShareCountsEachProcessorAsAHundred) {
  EXPECT_DOUBLE_EQ(cpu_percent(reading()), 50.0);
  auto first = reading();
  first.before = {};
  EXPECT_EQ(cpu_percent(first), 0) << "one reading says nothing";
}

TEST(UsageText, ARowHasItAll) {
  auto one = reading();
  one.now.memory = 1 << 20;
  one.now.memory_limit = 4 << 20;
  one.now.pids = 7;
  one.now.networks["eth0"] = {.rx_bytes = 1024, .tx_bytes = 2048};
  one.now.io_bytes.push_back({8, 0, "read", 4096});
  auto text = stats_table({{"id", one}});
  for (const char* part : {"web", "50.0%", "1.0 MB / 4.2 MB", "25.0%", "1.0 kB / 2.0 kB", "4.1 kB / 0 B", "7"})
    EXPECT_THAT(text, HasSubstr(part));
}

}  // namespace
}  // namespace gantry::cli
