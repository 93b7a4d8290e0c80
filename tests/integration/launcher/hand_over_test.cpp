#include "fixture.h"

namespace gantry::runtime {
namespace {

TEST_F(RuntimeTest, WhatTheNativeLauncherCannotDoCrunDoesAndSaysSo) {
  EXPECT_EQ(find_native_obstacle(), "");
  runtime_ = std::make_unique<Runtime>(io_.get_executor(), pool_,
                                       Config{.shim = GANTRY_SHIM,
                                              .crun = "/usr/bin/crun",
                                              .init = "/usr/bin/catatonit",
                                              .run_dir = run_dir_,
                                              .instance = instance_,
                                              .native_obstacle = "a reason"});
  auto plan = shell("true");
  run([&]() -> task<> {
    auto created = co_await runtime_->create(plan);
    EXPECT_EQ(created.launcher, Launcher::crun);
    EXPECT_EQ(created.handed_over, "a reason");
    co_await runtime_->start(plan.id);
    auto ended = co_await runtime_->wait(plan.id);
    EXPECT_EQ(ended.status.code, 0);
    co_await runtime_->remove(plan.id);
  });
}

}  // namespace
}  // namespace gantry::runtime
