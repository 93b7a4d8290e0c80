#include "fixture.h"

namespace gantry::engine {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST_F(EngineTest, CreateStartWaitRemove) {
  auto id = create(shell("echo hello; exit 7"));
  EXPECT_EQ(info(id).state, State::created);
  EXPECT_FALSE(info(id).spec.name.empty());
  run([&]() -> task<> { co_await engine().start(id); });
  EXPECT_EQ(wait(id), 7);
  EXPECT_EQ(info(id).state, State::exited);
  EXPECT_EQ(info(id).pid, 0);
  EXPECT_EQ(logs(id), "hello\n");
  run([&]() -> task<> { co_await engine().remove(id, {}); });
  EXPECT_EQ(refusal([&]() -> task<> {
              engine().inspect(id);
              co_return;
            }).kind(),
            ErrorKind::not_found);
}

TEST_F(EngineTest, IsRootInsideAndNobodyOutside) {
  auto id = start(shell("id -u; cat /proc/self/uid_map; sleep 60"));
  EXPECT_TRUE(eventually([&] { return logs(id).find("65536") != std::string::npos; }));
  EXPECT_TRUE(logs(id).starts_with("0\n"));
  auto status = read_file("/proc/" + std::to_string(info(id).pid) + "/status");
  EXPECT_EQ(status.find("Uid:\t0"), std::string::npos);
  EXPECT_TRUE(info(id).isolation_off.empty());
}

TEST_F(EngineTest, ACommandThatIsNotThereIs127AndLeavesItCreated) {
  ContainerSpec spec{.image = "box"};
  spec.command = {"/bin/nosuch"};
  auto id = create(spec);
  auto error = refusal([&]() -> task<> { co_await engine().start(id); });
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
  EXPECT_FALSE(error.fix().empty());
  EXPECT_EQ(info(id).state, State::created);
  EXPECT_EQ(info(id).exit_code, 127);
  EXPECT_THAT(info(id).error, HasSubstr("/bin/nosuch"));
}

TEST_F(EngineTest, ACommandThatIsNotExecutableIs126) {
  ContainerSpec spec{.image = "box"};
  spec.command = {"/bin/notexec"};
  auto id = create(spec);
  refusal([&]() -> task<> { co_await engine().start(id); });
  EXPECT_EQ(info(id).exit_code, 126) << info(id).error;
}

TEST_F(EngineTest, AnImageThatIsNotThereIsRefused) {
  ContainerSpec spec{.image = "nosuch"};
  auto error = refusal([&]() -> task<> { co_await engine().create(spec); });
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
}

TEST_F(EngineTest, ANameIsUsedOnce) {
  auto spec = shell("true");
  spec.name = "web";
  auto first = create(spec);
  auto error = refusal([&]() -> task<> { co_await engine().create(spec); });
  EXPECT_EQ(error.kind(), ErrorKind::conflict);
  EXPECT_THAT(error.message(), HasSubstr(short_id(first)));
  EXPECT_EQ(engine().resolve("web"), first);
  EXPECT_EQ(engine().resolve(first.str().substr(0, 6)), first);
}

TEST_F(EngineTest, StopSendsTheSignalAndWaitsForTheGrace) {
  auto polite = start(shell("trap 'exit 5' TERM; echo ready; while true; do sleep 0.1; done"));
  EXPECT_TRUE(eventually([&] { return logs(polite) == "ready\n"; }));
  run([&]() -> task<> { co_await engine().stop(polite, std::nullopt); });
  EXPECT_EQ(info(polite).exit_code, 5);
  EXPECT_TRUE(info(polite).stopped_by_user);

  auto stubborn = start(shell("trap '' TERM; echo ready; while true; do sleep 0.1; done"));
  EXPECT_TRUE(eventually([&] { return logs(stubborn) == "ready\n"; }));
  run([&]() -> task<> { co_await engine().stop(stubborn, 300ms); });
  EXPECT_EQ(info(stubborn).exit_code, 137);
}

TEST_F(EngineTest, RemoveNeedsForceWhileItRuns) {
  auto id = start(shell("sleep 60"));
  auto error = refusal([&]() -> task<> { co_await engine().remove(id, {}); });
  EXPECT_EQ(error.kind(), ErrorKind::conflict);
  run([&]() -> task<> {
    RemoveOptions force{.force = true};
    co_await engine().remove(id, force);
  });
  EXPECT_TRUE(engine().list({}).empty());
}

TEST_F(EngineTest, ForceRemovesThroughAStopThatWaits) {
  auto id = start(shell("trap '' TERM; echo ready; while true; do sleep 0.1; done"));
  EXPECT_TRUE(eventually([&] { return logs(id) == "ready\n"; }));
  auto began = std::chrono::steady_clock::now();
  bool stopped = false;
  asio::co_spawn(io_, engine().stop(id, 60s), [&](std::exception_ptr) { stopped = true; });
  EXPECT_TRUE(eventually([&] { return info(id).state == State::stopping; }));
  run([&]() -> task<> {
    RemoveOptions force{.force = true};
    co_await engine().remove(id, force);
  });
  EXPECT_TRUE(eventually([&] { return stopped; }));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);
}

TEST_F(EngineTest, KillAndRestart) {
  auto id = start(shell("sleep 60"));
  auto pid = info(id).pid;
  run([&]() -> task<> { co_await engine().restart(id, 0ms); });
  EXPECT_EQ(info(id).state, State::running);
  EXPECT_NE(info(id).pid, pid);
  run([&]() -> task<> { co_await engine().kill(id, "KILL"); });
  EXPECT_EQ(wait(id), 137);
}

TEST_F(EngineTest, AutoRemoveGoesByItself) {
  auto spec = shell("exit 3");
  spec.auto_remove = true;
  auto id = create(spec);
  int code = -1;
  asio::co_spawn(io_, engine().wait(id, WaitCondition::removed),
                 [&](std::exception_ptr, ExitStatus status) { code = status.code; });
  run([&]() -> task<> { co_await engine().start(id); });
  EXPECT_TRUE(eventually([&] { return code == 3; }));
  EXPECT_TRUE(engine().list({}).empty());
}

TEST_F(EngineTest, AnAutoRemovedOneThatCannotStartGoesToo) {
  ContainerSpec spec{.image = "box", .auto_remove = true};
  spec.command = {"/bin/nosuch"};
  auto id = create(spec);
  refusal([&]() -> task<> { co_await engine().start(id); });
  EXPECT_TRUE(engine().list({}).empty());
}

TEST_F(EngineTest, FiftyAtOnce) {
  std::vector<ContainerId> ids(50);
  run([&]() -> task<> {
    auto one = [](EngineTest* test, Engine* with, ContainerSpec spec, ContainerId* id) -> task<> {
      *id = co_await with->create(spec);
      co_await with->start(*id);
      (void)test;
    };
    std::vector<task<>> work;
    for (auto& id : ids) work.push_back(one(this, &engine(), shell("sleep 300"), &id));
    co_await all(std::move(work));
  });
  ContainerFilter running;
  running.state = State::running;
  EXPECT_EQ(engine().list(running).size(), 50u);
  std::set<std::string> addresses;
  for (const auto& container : engine().list(running)) addresses.insert(container.addresses.at(0).ipv4);
  EXPECT_EQ(addresses.size(), 50u);
  run([&]() -> task<> {
    std::vector<task<>> work;
    RemoveOptions force{.force = true};
    for (const auto& id : ids) work.push_back(engine().remove(id, force));
    co_await all(std::move(work));
  });
  EXPECT_TRUE(engine().list({}).empty());
}

TEST_F(EngineTest, EventsTellTheLife) {
  auto id = start(shell("exit 0"));
  wait(id);
  run([&]() -> task<> { co_await engine().remove(id, {}); });
  std::vector<std::string> actions;
  run([&]() -> task<> {
    std::function<task<>(Event)> sink = [&](Event event) -> task<> {
      if (event.id == id.str()) actions.push_back(event.action);
      co_return;
    };
    co_await engine().events(std::nullopt, false, sink);
  });
  EXPECT_THAT(actions, testing::ElementsAre("create", "start", "die", "destroy"));
}

}  // namespace
}  // namespace gantry::engine
