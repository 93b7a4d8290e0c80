#include <signal.h>

#include "fixture.h"

namespace gantry::engine {
namespace {

using namespace std::chrono_literals;

TEST_F(EngineTest, OnFailureRestartsWithGrowingPausesUpToItsLimit) {
  auto spec = shell("date +%s; exit 4");
  spec.restart = {RestartMode::on_failure, 3};
  auto began = std::chrono::steady_clock::now();
  auto id = start(spec);
  EXPECT_TRUE(eventually([&] { return info(id).state == State::exited; }));
  EXPECT_GE(std::chrono::steady_clock::now() - began, 100ms + 200ms + 400ms);
  EXPECT_EQ(info(id).restart_count, 3);
  EXPECT_EQ(info(id).exit_code, 4);
}

TEST_F(EngineTest, AlwaysRestartsUntilStopped) {
  auto spec = shell("true");
  spec.restart.mode = RestartMode::always;
  auto id = start(spec);
  EXPECT_TRUE(eventually([&] { return info(id).restart_count >= 2; }));
  run([&]() -> task<> { co_await engine().stop(id, std::nullopt); });
  EXPECT_EQ(info(id).state, State::exited);
  auto count = info(id).restart_count;
  EXPECT_FALSE(eventually([&] { return info(id).restart_count != count; }, 2s));
}

TEST_F(EngineTest, AnUnhealthyContainerIsRestarted) {
  auto spec = shell("touch /tmp/good; sleep 300");
  spec.restart.mode = RestartMode::unless_stopped;
  HealthCheck check;
  check.test.push_back("/bin/test");
  check.test.push_back("-e");
  check.test.push_back("/tmp/good");
  check.interval = 200ms;
  check.retries = 2;
  spec.health = check;
  spec.stop_grace = 0ms;
  auto id = start(spec);
  EXPECT_EQ(info(id).health, Health::starting);
  EXPECT_TRUE(eventually([&] { return info(id).health == Health::healthy; }));
  auto pid = info(id).pid;
  EXPECT_EQ(exec(id, {"/bin/rm", "/tmp/good"}), "=0");
  EXPECT_TRUE(eventually([&] { return info(id).restart_count == 1 && info(id).state == State::running; }));
  EXPECT_NE(info(id).pid, pid);
  EXPECT_TRUE(eventually([&] { return info(id).health == Health::healthy; }));
}

TEST_F(EngineTest, WithoutAPolicyItStaysUnhealthy) {
  auto spec = shell("sleep 300");
  HealthCheck check;
  check.shell = "echo broken; exit 1";
  check.interval = 100ms;
  check.retries = 1;
  spec.health = check;
  auto id = start(spec);
  EXPECT_TRUE(eventually([&] { return info(id).health == Health::unhealthy; }));
  EXPECT_EQ(info(id).state, State::running);
  EXPECT_EQ(info(id).health_log.back().output, "broken\n");
}

TEST_F(EngineTest, AdoptsWhatRunsAndRecordsWhatEnded) {
  auto stays = start(shell("echo before; sleep 3; echo after; sleep 300"));
  auto ends = start(shell("sleep 1; exit 9"));
  auto restarts_spec = shell("sleep 1; exit 1");
  restarts_spec.restart.mode = RestartMode::always;
  auto restarts = start(restarts_spec);
  auto pid = info(stays).pid;
  restart_daemon([] { ::usleep(2'500'000); });
  EXPECT_EQ(info(stays).state, State::running);
  EXPECT_EQ(info(stays).pid, pid);
  EXPECT_EQ(info(ends).state, State::exited);
  EXPECT_EQ(info(ends).exit_code, 9);
  EXPECT_TRUE(info(ends).error.empty());
  EXPECT_TRUE(eventually([&] { return info(restarts).restart_count >= 1; }));
  EXPECT_TRUE(eventually([&] { return logs(stays) == "before\nafter\n"; }));
  EXPECT_EQ(exec(stays, {"/bin/echo", "here"}), "here\n=0");
  run([&]() -> task<> { co_await engine().stop(stays, 0ms); });
  EXPECT_EQ(info(stays).exit_code, 137);
}

TEST_F(EngineTest, ARebootStartsAgainWhatShouldRun) {
  auto spec = shell("sleep 300");
  auto no = start(spec);
  spec.restart.mode = RestartMode::always;
  auto always = start(spec);
  spec.restart.mode = RestartMode::unless_stopped;
  auto unless = start(spec);
  auto stopped = start(spec);
  spec.restart.mode = RestartMode::on_failure;
  auto on_failure = start(spec);
  run([&]() -> task<> { co_await engine().stop(stopped, 0ms); });
  reboot();
  for (const auto& id : {always, unless, on_failure})
    EXPECT_TRUE(eventually([&] { return info(id).state == State::running; })) << info(id).error;
  EXPECT_EQ(info(no).state, State::exited);
  EXPECT_EQ(info(no).exit_code, 137);
  EXPECT_EQ(info(no).error, "was killed while gantryd was not running");
  EXPECT_EQ(info(stopped).state, State::exited);
}

TEST_F(EngineTest, ContainersKeepTheirNetworkAcrossARestartOfTheDaemon) {
  auto server = shell("while true; do echo served | nc -l -p 80; done");
  server.name = "server";
  server.ports.push_back({"127.0.0.1", 0, 80, Protocol::tcp});
  auto id = start(server);
  auto before = info(id);
  restart_daemon();
  EXPECT_EQ(info(id).addresses.at(0).ipv4, before.addresses.at(0).ipv4);
  EXPECT_EQ(info(id).ports.at(0).host_port, before.ports.at(0).host_port);
  auto client = shell("nc server 80 </dev/null");
  EXPECT_EQ(output(client), "served\n");
}

}  // namespace
}  // namespace gantry::engine
