#include "fixture.h"

namespace gantry::engine {
namespace {

constexpr const char* kStartSteps[] = {"start: volumes", "start: reserve", "start: row",  "start: plan",
                                       "start: create",  "start: attach",  "start: plug", "start: execute"};

// Each step of a start fails once: the error arrives, nothing is held, and the next start works.
TEST_F(EngineTest, AStartThatFailsAtAnyStepLeavesNothing) {
  auto spec = shell("sleep 300");
  spec.ports.push_back({"127.0.0.1", 0, 80, Protocol::tcp});
  auto id = create(spec);
  for (std::string step : kStartSteps) {
    on_step_ = [&](std::string_view name) {
      if (name == step) throw Error(ErrorKind::exhausted, "fault at " + step);
    };
    auto error = refusal([&]() -> task<> { co_await engine().start(id); });
    EXPECT_NE(error.message().find("fault at " + step), std::string::npos);
    EXPECT_EQ(info(id).state, State::created) << step;
    EXPECT_TRUE(info(id).addresses.empty());
    for (const auto& network : engine().networks().list()) EXPECT_EQ(network.endpoints, 0) << step;
  }
  on_step_ = {};
  run([&]() -> task<> { co_await engine().start(id); });
  EXPECT_EQ(info(id).state, State::running);
}

TEST_F(EngineTest, ACreateThatFailsLeavesNoRow) {
  on_step_ = [](std::string_view name) {
    if (name == "create: volumes") throw Error(ErrorKind::exhausted, "fault");
  };
  auto spec = shell("true");
  spec.mounts.push_back({.type = MountType::volume, .target = "/scratch"});
  refusal([&]() -> task<> { co_await engine().create(spec); });
  EXPECT_TRUE(engine().list({}).empty());
  EXPECT_TRUE(engine().volumes().list().empty());
}

// A removal that fails half-way is a removal still: it can be repeated, and a new daemon finishes it.
TEST_F(EngineTest, ARemovalInterruptedAtAnyStepIsFinished) {
  for (std::string step : {"remove: release", "remove: files", "remove: forget"}) {
    auto id = start(shell("sleep 300"));
    on_step_ = [&](std::string_view name) {
      if (name == step) throw Error(ErrorKind::internal, "fault at " + step);
    };
    RemoveOptions force{.force = true};
    refusal([&]() -> task<> { co_await engine().remove(id, force); });
    EXPECT_EQ(info(id).state, State::removing);
    on_step_ = {};
    restart_daemon();
    EXPECT_TRUE(eventually([&] { return engine().list({}).empty(); })) << step;
  }
}

}  // namespace
}  // namespace gantry::engine
