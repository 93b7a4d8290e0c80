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

/// At most `count` at once; the rest wait their turn.
class Permits {
 public:
  Permits(asio::any_io_executor executor, int count) : free_(count), returned_(std::move(executor)) {}
  class [[nodiscard]] Permit {
   public:
    explicit Permit(Permits* owner) : owner_(owner) {}
    Permit(Permit&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
    Permit& operator=(Permit&&) = delete;
    ~Permit();

   private:
    Permits* owner_;
  };
  task<Permit> acquire();

 private:
  int free_;
  Notifier returned_;
};

}  // namespace gantry::engine
