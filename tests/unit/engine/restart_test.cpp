#include "restart.h"

#include <gtest/gtest.h>

namespace gantry::engine {
namespace {

using namespace std::chrono_literals;

TEST(BackOff, DoublesFrom100MillisecondsToAMinute) {
  EXPECT_EQ(back_off(0), 100ms);
  EXPECT_EQ(back_off(1), 200ms);
  EXPECT_EQ(back_off(5), 3200ms);
  EXPECT_EQ(back_off(10), 60s);
  EXPECT_EQ(back_off(100000), 60s);
}

TEST(DecideRestart, FollowsThePolicy) {
  Ending failed{.exit_code = 3}, done{.exit_code = 0};
  EXPECT_FALSE(decide_restart({RestartMode::no}, failed));
  EXPECT_TRUE(decide_restart({RestartMode::on_failure}, failed));
  EXPECT_FALSE(decide_restart({RestartMode::on_failure}, done));
  EXPECT_TRUE(decide_restart({RestartMode::always}, done));
  EXPECT_TRUE(decide_restart({RestartMode::unless_stopped}, done));
}

TEST(DecideRestart, NeverWhenTheUserStoppedIt) {
  for (auto mode : {RestartMode::always, RestartMode::unless_stopped, RestartMode::on_failure})
    EXPECT_FALSE(decide_restart({mode}, {.exit_code = 1, .stopped_by_user = true}));
}

TEST(DecideRestart, AnUnhealthyOneFailedWhateverItsExitCode) {
  EXPECT_TRUE(decide_restart({RestartMode::on_failure}, {.exit_code = 0, .unhealthy = true}));
}

TEST(DecideRestart, OnFailureStopsAtItsLimit) {
  RestartPolicy policy{RestartMode::on_failure, 2};
  EXPECT_TRUE(decide_restart(policy, {.exit_code = 1, .restart_count = 1}));
  EXPECT_FALSE(decide_restart(policy, {.exit_code = 1, .restart_count = 2}));
}

TEST(DecideRestart, TheDelayGrowsUntilItHasRunTenSeconds) {
  auto next = decide_restart({RestartMode::always}, {.failures = 4, .ran = 9s});
  EXPECT_EQ(next->delay, 1600ms);
  EXPECT_EQ(next->failures, 5);
  next = decide_restart({RestartMode::always}, {.failures = 4, .ran = 10s});
  EXPECT_EQ(next->delay, 100ms);
  EXPECT_EQ(next->failures, 1);
}

}  // namespace
}  // namespace gantry::engine
