#pragma once

#include <chrono>
#include <map>
#include <memory>

#include "gantry/base/async.h"
#include "gantry/engine/types.h"
#include "gantry/runtime/runtime.h"
#include "notifier.h"

namespace gantry::engine {

inline constexpr auto kExecKept = std::chrono::minutes(10);

struct Exec {
  Exec(asio::any_io_executor executor, ExecInfo about) : info(std::move(about)), ended(std::move(executor)) {}
  ExecInfo info;
  std::shared_ptr<runtime::ExecProcess> process;
  gantry::Event ended;
  SteadyTime touched = std::chrono::steady_clock::now();  ///< made or ended
  bool started = false;
};

/// The execs of this life of the daemon. What ended, or was made and never started, is forgotten after ten minutes.
class ExecRegistry {
 public:
  explicit ExecRegistry(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  std::shared_ptr<Exec> add(ContainerId container, ExecSpec spec);
  /// Error not_found.
  std::shared_ptr<Exec> get(const ExecId& id) const;
  /// Marks it ended; waiters go on.
  static void finish(Exec& exec, int code);
  std::vector<std::string> running_in(const ContainerId& container) const;
  void forget(const ContainerId& container);

 private:
  void forget_old();
  asio::any_io_executor executor_;
  std::map<ExecId, std::shared_ptr<Exec>> execs_;
};

}  // namespace gantry::engine
