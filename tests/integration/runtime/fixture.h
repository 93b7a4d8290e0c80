#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "gantry/base/async.h"
#include "gantry/base/files.h"
#include "gantry/runtime/log_file.h"
#include "gantry/runtime/runtime.h"

namespace gantry::runtime {

/// A runtime of its own in a directory of its own, with a busybox root file system. The end of each test checks that
/// nothing is left: mounts, control groups, processes, files.
class RuntimeTest : public testing::Test {
 protected:
  RuntimeTest();
  ~RuntimeTest() override;
  void TearDown() override;

  /// Runs `work` on a fresh executor to its end.
  void run(std::function<task<>()> work);
  /// A new Runtime over the same directories, as after a restart of the daemon; the old one is dropped.
  void restart_runtime();

  Plan plan_of(std::vector<std::string> argv);
  Plan shell(const std::string& script) { return plan_of({"/bin/sh", "-c", script}); }
  /// create, start, wait, remove; everything the program wrote is in its log.
  task<ExitRecord> run_to_end(Plan plan);
  std::string log_of(const Plan& plan, std::optional<StdStream> only = std::nullopt) const;
  /// Runs a script in a container and returns what it printed.
  std::string output_of(Plan plan);
  /// 0 when there is none.
  pid_t shim_of(const ContainerId& id) const;
  std::filesystem::path shim_directory(const ContainerId& id) const { return run_dir_ / "containers" / id.str(); }

  asio::io_context io_;
  WorkerPool pool_{4};
  TemporaryDirectory directory_;
  std::filesystem::path run_dir_;
  std::filesystem::path layer_;
  std::string instance_;
  std::unique_ptr<Runtime> runtime_;
  std::string mounts_before_;
};

task<std::string> read_all(StdioSession& session);

}  // namespace gantry::runtime
