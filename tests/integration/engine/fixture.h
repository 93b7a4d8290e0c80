#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/base/files.h"
#include "gantry/engine/engine.h"

namespace gantry::engine {

/// One daemon's worth of objects over directories that outlive it, as a restart of gantryd does.
struct Host;

/// An engine of its own with a busybox image "box". The end of each test removes every container and checks that
/// nothing is left: processes, mounts, control groups, links, rules, rows, files.
class EngineTest : public testing::Test {
 protected:
  EngineTest();
  ~EngineTest() override;
  void TearDown() override;

  Engine& engine();
  /// Drives `work` on the control thread to its end; a failure of it fails the test.
  void run(std::function<task<>()> work);
  /// The same for work that must fail: its Error.
  Error refusal(std::function<task<>()> work);

  /// A new daemon over the same directories: the old one is closed and dropped, containers go on. `meanwhile` runs
  /// while no daemon is there.
  void restart_daemon(const std::function<void()>& meanwhile = {});
  /// As a power cycle: every process killed, the run directory lost.
  void reboot();

  ContainerSpec shell(const std::string& script);
  ContainerId create(ContainerSpec spec);
  ContainerId start(ContainerSpec spec);
  ContainerInfo info(const ContainerId& id) { return engine().inspect(id); }
  int wait(const ContainerId& id, WaitCondition condition = WaitCondition::not_running);
  /// Drives the control thread until `condition`, at most `limit`.
  bool eventually(const std::function<bool()>& condition, Duration limit = std::chrono::seconds(15));
  std::string logs(const ContainerId& id, LogQuery query = {});
  /// Runs to the end and returns what it printed.
  std::string output(ContainerSpec spec);
  std::string exec(const ContainerId& id, std::vector<std::string> argv);
  void remove_all();

  /// Called before each step of an operation.
  std::function<void(std::string_view)> on_step_;
  asio::io_context io_;
  TemporaryDirectory directory_;
  std::string instance_;
  std::unique_ptr<Host> host_;
};

task<std::string> read_all(StdioSession* session);

}  // namespace gantry::engine
