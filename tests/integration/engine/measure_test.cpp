#include "fixture.h"

namespace gantry::engine {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;

class MeasureTest : public EngineTest, public testing::WithParamInterface<const char*> {
 protected:
  ContainerId running(ContainerSpec spec) {
    spec.runtime = GetParam();
    auto id = start(std::move(spec));
    EXPECT_TRUE(eventually([&] { return logs(id).find("ready") != std::string::npos; }));
    return id;
  }
  Stats stats(const ContainerId& id) {
    Stats out;
    run([&]() -> task<> { out = co_await engine().stats(id); });
    return out;
  }
  std::vector<ProcessInfo> processes(const ContainerId& id) {
    std::vector<ProcessInfo> out;
    run([&]() -> task<> { out = co_await engine().processes(id); });
    return out;
  }
  void update(const ContainerId& id, ContainerUpdate change) {
    run([&]() -> task<> { co_await engine().update(id, change); });
  }
};

TEST_P(MeasureTest, StatsCountWhatItUses) {
  auto spec = shell(
      "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; dd if=/dev/zero of=/srv/file bs=1M count=4 2>/dev/null;"
      "echo ready; sleep 60");
  spec.resources.memory = 64u << 20;
  spec.resources.pids = 50;
  auto id = running(spec);
  auto now = stats(id);
  EXPECT_GT(now.cpu_nanos, 0u);
  EXPECT_GT(now.host_cpu_nanos, now.cpu_nanos);
  EXPECT_GT(now.processors, 0u);
  EXPECT_GT(now.memory, 0u);
  EXPECT_GE(now.memory_total, now.memory);
  EXPECT_EQ(now.memory_limit, 64u << 20);
  EXPECT_FALSE(now.memory_details.empty());
  EXPECT_EQ(now.pids_limit, 50u);
  EXPECT_GE(now.pids, 1u);
  ASSERT_TRUE(now.networks.contains("eth0"));
  EXPECT_FALSE(now.networks.contains("lo"));
  auto sent = now.networks["eth0"].tx_packets;
  exec(id, {"/bin/nslookup", "nobody"});
  EXPECT_GT(stats(id).networks["eth0"].tx_packets, sent);
  run([&]() -> task<> { co_await engine().kill(id, "KILL"); });
  wait(id);
  EXPECT_EQ(stats(id).cpu_nanos, 0u);
}

TEST_P(MeasureTest, ProcessesAreAllOfThem) {
  auto spec = shell("sleep 77 & echo ready; sleep 88");
  spec.user = "app";
  auto id = running(spec);
  auto all = processes(id);
  EXPECT_THAT(all, Contains(Field(&ProcessInfo::command, HasSubstr("sleep 77"))));
  EXPECT_THAT(all, Contains(Field(&ProcessInfo::pid, info(id).pid)));
  for (const auto& process : all) {
    EXPECT_EQ(process.uid, 1000u);
    EXPECT_GT(process.parent, 0);
    EXPECT_LT(now() - process.started, std::chrono::minutes(2));
  }
  auto still = create(shell("true"));
  EXPECT_EQ(refusal([&]() -> task<> { co_await engine().processes(still); }).kind(), ErrorKind::conflict);
}

TEST_P(MeasureTest, AnUpdateHoldsAtOnceAndFromThenOn) {
  auto spec = shell("echo ready; sleep 60");
  spec.resources.memory = 64u << 20;
  auto id = running(spec);
  ContainerUpdate change;
  change.resources.memory = 32u << 20;
  change.resources.pids = 20;
  change.restart = RestartPolicy{RestartMode::on_failure, 3};
  update(id, change);
  EXPECT_EQ(stats(id).memory_limit, 32u << 20);
  EXPECT_EQ(stats(id).pids_limit, 20u);
  change = {};
  change.resources.memory = 128u << 20;
  update(id, change);
  EXPECT_EQ(stats(id).memory_limit, 128u << 20);
  EXPECT_EQ(stats(id).pids_limit, 20u) << "what is not mentioned stays";
  EXPECT_EQ(info(id).spec.restart.mode, RestartMode::on_failure);
  restart_daemon();
  EXPECT_EQ(info(id).spec.resources.memory, 128u << 20);
  run([&]() -> task<> { co_await engine().restart(id, std::chrono::seconds(0)); });
  EXPECT_EQ(stats(id).memory_limit, 128u << 20);
}

TEST_P(MeasureTest, WhatTheKernelRefusesChangesNothing) {
  auto id = running(shell("echo ready; sleep 60"));
  auto refused = [&](ContainerUpdate change) {
    return refusal([&]() -> task<> { co_await engine().update(id, change); }).kind();
  };
  ContainerUpdate change;
  change.resources.cpuset = "4000";
  change.resources.pids = 33;
  EXPECT_EQ(refused(change), ErrorKind::invalid);
  EXPECT_FALSE(info(id).spec.resources.cpuset.has_value());
  EXPECT_FALSE(info(id).spec.resources.pids.has_value());
  change = {};
  change.resources.memory = 1;
  EXPECT_EQ(refused(change), ErrorKind::invalid);
}

INSTANTIATE_TEST_SUITE_P(Launchers, MeasureTest, testing::Values("native", "crun"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace gantry::engine
