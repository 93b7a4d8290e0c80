#pragma once

#include <optional>
#include <vector>

#include "gantry/base/async.h"

namespace gantry::engine {

using SteadyTime = asio::steady_timer::time_point;

/// "Something changed": wakes every waiting coroutine, which then looks at the state again. Between looking and waiting
/// there must be no co_await, or a notification is lost. One executor; must outlive its waiters.
class Notifier {
 public:
  explicit Notifier(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  void notify();
  /// Grows with each notification: who had to co_await between looking and waiting compares it.
  std::uint64_t version() const { return version_; }
  /// Until notified or `deadline`. Throws Error (cancelled) when the waiting task is cancelled.
  task<> wait(std::optional<SteadyTime> deadline = {});

 private:
  asio::any_io_executor executor_;
  std::uint64_t version_ = 0;
  std::vector<asio::steady_timer*> waiting_;
};

}  // namespace gantry::engine
