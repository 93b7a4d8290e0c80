#include "fixture.h"

namespace gantry::engine {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class PauseTest : public EngineTest, public testing::WithParamInterface<const char*> {
 protected:
  ContainerId ticking() {
    auto spec = shell("trap 'exit 5' TERM; while true; do echo tick; sleep 0.05; done");
    spec.runtime = GetParam();
    auto id = start(spec);
    EXPECT_TRUE(eventually([&] { return !logs(id).empty(); }));
    return id;
  }
  void pause(const ContainerId& id) {
    run([&]() -> task<> { co_await engine().pause(id); });
  }
  void unpause(const ContainerId& id) {
    run([&]() -> task<> { co_await engine().unpause(id); });
  }
  bool silent(const ContainerId& id) {
    eventually([] { return false; }, 100ms);  // what was in the pipe
    auto before = logs(id).size();
    return !eventually([&] { return logs(id).size() != before; }, 500ms);
  }
  bool ticks(const ContainerId& id) {
    auto before = logs(id).size();
    return eventually([&] { return logs(id).size() > before; });
  }
};

TEST_P(PauseTest, HaltsEverythingUntilItIsUnpaused) {
  auto id = ticking();
  pause(id);
  EXPECT_EQ(info(id).state, State::paused);
  EXPECT_TRUE(silent(id));
  unpause(id);
  EXPECT_EQ(info(id).state, State::running);
  EXPECT_TRUE(ticks(id));
}

TEST_P(PauseTest, APausedContainerStopsPolitely) {
  auto id = ticking();
  pause(id);
  run([&]() -> task<> { co_await engine().stop(id, 10s); });
  EXPECT_EQ(info(id).exit_code, 5);
  EXPECT_EQ(info(id).state, State::exited);
}

TEST_P(PauseTest, APausedContainerIsKilledAndRemoved) {
  auto id = ticking();
  pause(id);
  run([&]() -> task<> { co_await engine().kill(id, "USR2"); });
  EXPECT_EQ(info(id).state, State::paused) << "not every signal lets it go on";
  run([&]() -> task<> { co_await engine().kill(id, "KILL"); });
  EXPECT_EQ(wait(id), 137);
  auto other = ticking();
  pause(other);
  run([&]() -> task<> { co_await engine().remove(other, {.force = true}); });
}

TEST_P(PauseTest, StaysPausedThroughARestartOfTheDaemon) {
  auto id = ticking();
  pause(id);
  restart_daemon();
  EXPECT_EQ(info(id).state, State::paused);
  EXPECT_TRUE(silent(id));
  unpause(id);
  EXPECT_TRUE(ticks(id));
}

TEST_P(PauseTest, WhatACrashLeftHalfDoneIsDoneAfterwards) {
  auto id = ticking();
  on_step_ = [](std::string_view step) {
    if (step == "pause: frozen") throw Error(ErrorKind::internal, "crash");
  };
  refusal([&]() -> task<> { co_await engine().pause(id); });
  on_step_ = {};
  restart_daemon();
  EXPECT_EQ(info(id).state, State::paused);
  EXPECT_TRUE(silent(id));
  unpause(id);
}

INSTANTIATE_TEST_SUITE_P(Launchers, PauseTest, testing::Values("native", "crun"),
                         [](const auto& test) { return std::string(test.param); });

TEST_F(EngineTest, PauseIsRefusedWhereThereIsNothingToPause) {
  auto id = create(shell("sleep 60"));
  auto pausing = [&]() -> task<> { co_await engine().pause(id); };
  auto unpausing = [&]() -> task<> { co_await engine().unpause(id); };
  EXPECT_EQ(refusal(pausing).kind(), ErrorKind::conflict);
  run([&]() -> task<> { co_await engine().start(id); });
  EXPECT_EQ(refusal(unpausing).kind(), ErrorKind::conflict);
  run(pausing);
  EXPECT_EQ(refusal(pausing).kind(), ErrorKind::conflict);
  auto error = refusal([&]() -> task<> {
    ExecSpec spec;
    spec.argv.push_back("/bin/true");
    co_await engine().exec_create(id, spec);
  });
  EXPECT_EQ(error.kind(), ErrorKind::conflict);
  EXPECT_THAT(error.fix(), HasSubstr("gantry unpause"));
}

TEST_F(EngineTest, ARenamedContainerIsKnownByItsNewNameOnly) {
  auto spec = shell("sleep 60");
  spec.name = "old";
  auto id = start(spec);
  spec.name = "other";
  auto other = start(spec);
  run([&]() -> task<> { co_await engine().rename(id, "fresh"); });
  EXPECT_EQ(engine().resolve("fresh"), id);
  EXPECT_EQ(info(id).spec.name, "fresh");
  EXPECT_THAT(exec(other, {"/bin/nslookup", "fresh"}), HasSubstr(info(id).addresses.front().ipv4));
  EXPECT_THAT(exec(other, {"/bin/nslookup", "old"}), testing::Not(HasSubstr(info(id).addresses.front().ipv4)));
  restart_daemon();
  EXPECT_EQ(engine().resolve("fresh"), id);
  EXPECT_THAT(exec(other, {"/bin/nslookup", "fresh"}), HasSubstr(info(id).addresses.front().ipv4));
  auto old = spec;
  old.name = "old";
  create(old);
}

TEST_F(EngineTest, ARenameIsRefusedForNamesThatAreTakenOrNoNames) {
  auto spec = shell("true");
  spec.name = "one";
  auto id = create(spec);
  spec.name = "two";
  create(spec);
  auto rename = [&](std::string name) {
    return refusal([&]() -> task<> { co_await engine().rename(id, name); }).kind();
  };
  EXPECT_EQ(rename("two"), ErrorKind::conflict);
  EXPECT_EQ(rename("one"), ErrorKind::invalid);
  EXPECT_EQ(rename(""), ErrorKind::invalid);
  EXPECT_EQ(rename("a/b"), ErrorKind::invalid);
}

TEST_F(EngineTest, PauseUnpauseAndRenameAreEvents) {
  auto spec = shell("sleep 60");
  spec.name = "before";
  auto id = start(spec);
  run([&]() -> task<> {
    co_await engine().pause(id);
    co_await engine().unpause(id);
    co_await engine().rename(id, "after");
  });
  std::vector<std::string> told;
  run([&]() -> task<> {
    std::function<task<>(Event)> sink = [&](Event event) -> task<> {
      if (event.action == "rename") {
        EXPECT_EQ(event.attributes.at("old_name"), "before");
        EXPECT_EQ(event.name, "after");
      }
      told.push_back(event.action);
      co_return;
    };
    co_await engine().events(Timestamp{}, false, sink);
  });
  told.erase(told.begin(), told.end() - 3);
  EXPECT_THAT(told, ElementsAre("pause", "unpause", "rename"));
}

}  // namespace
}  // namespace gantry::engine
