#include "fixture.h"

namespace gantry::runtime {
namespace {

class Limits : public RuntimeTest {};

TEST_F(Limits, MemoryIsEnforcedAndReported) {
  auto plan = shell("tail /dev/zero");
  plan.memory = 32u << 20;
  run([&]() -> task<> {
    auto record = co_await run_to_end(plan);
    EXPECT_EQ(record.status.code, 137);
    EXPECT_TRUE(record.status.oom_killed);
  });
}

TEST_F(Limits, Processes) {
  auto plan = shell("i=0; while [ $i -lt 30 ]; do sleep 2 & i=$((i+1)); done; echo all");
  plan.pids = 10;
  auto text = output_of(plan);
  EXPECT_EQ(text.find("all"), std::string::npos) << text;
}

TEST_F(Limits, ProcessorAndUsage) {
  auto plan = shell("while :; do :; done");
  plan.cpus = 0.2;
  plan.memory = 64u << 20;
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
    auto before = co_await runtime_->usage(plan.id, false);
    co_await sleep_for(std::chrono::seconds(1));
    auto after = co_await runtime_->usage(plan.id, false);
    EXPECT_EQ(after.memory_limit, 64u << 20);
    EXPECT_EQ(after.pids, 1u);
    EXPECT_LT(after.cpu_nanos - before.cpu_nanos, 500'000'000u);
    EXPECT_GT(after.cpu_nanos, before.cpu_nanos);
    co_await runtime_->remove(plan.id);
  });
}

TEST_F(Limits, ResourceLimitsAndShm) {
  auto plan = shell("ulimit -n; grep /dev/shm /proc/mounts");
  plan.rlimits = {{.name = "RLIMIT_NOFILE", .soft = 512, .hard = 600}};
  plan.shm_size = 8u << 20;
  auto text = output_of(plan);
  EXPECT_TRUE(text.starts_with("512\n")) << text;
  EXPECT_NE(text.find("size=8192k"), std::string::npos) << text;
}

TEST_F(Limits, RaisedLimitIsReachedOrLowered) {
  auto plan = shell("ulimit -Hn");
  plan.rlimits = {{.name = "RLIMIT_NOFILE", .soft = 1u << 20, .hard = 1u << 20},
                  {"RLIMIT_MEMLOCK", 1u << 30, 1u << 30}};
  run([&]() -> task<> { EXPECT_EQ((co_await run_to_end(plan)).status.code, 0); });
}

}  // namespace
}  // namespace gantry::runtime
