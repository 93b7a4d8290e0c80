#pragma once

#include "gantry/base/async.h"
#include "gantry/base/log.h"
#include "notifier.h"

namespace gantry::engine {

/// Runs operations apart from who asked for them: a client that goes away in the middle of a start leaves a container
/// that is started or not, never half of one. `close` lets all of them come to their end.
class Operations {
 public:
  explicit Operations(asio::any_io_executor executor) : executor_(executor), idle_(std::move(executor)) {}

  /// Result and exception of `work`; cancelling the caller ends only the waiting.
  template <class T>
  task<T> run(task<T> work) {
    if (closed_) throw Error(ErrorKind::unavailable, "gantryd is stopping", "try again when it runs again");
    auto slot = std::make_shared<Slot<T>>(executor_);
    ++running_;
    asio::co_spawn(executor_, gantry::detail::settle<T>(std::move(work), &slot->outcome),
                   [this, slot](std::exception_ptr) { finished(*slot); });
    Waiting waiting{slot->awaited};
    co_await slot->done.wait();
    if (slot->outcome.failure) std::rethrow_exception(slot->outcome.failure);
    if constexpr (!std::is_void_v<T>) co_return std::move(*slot->outcome.value);
  }

  /// Starts it and looks back only to log its failure.
  void start(task<> work) {
    auto slot = std::make_shared<Slot<void>>(executor_);
    slot->awaited = false;
    ++running_;
    asio::co_spawn(executor_, gantry::detail::settle<void>(std::move(work), &slot->outcome),
                   [this, slot](std::exception_ptr) { finished(*slot); });
  }

  task<> close() {
    closed_ = true;
    while (running_ > 0) co_await idle_.wait();
  }

 private:
  template <class T>
  struct Slot {
    explicit Slot(asio::any_io_executor executor) : done(std::move(executor)) {}
    gantry::detail::Outcome<T> outcome;
    gantry::Event done;
    bool awaited = true;
  };
  struct Waiting {
    bool& flag;
    ~Waiting() { flag = false; }
  };

  template <class T>
  void finished(Slot<T>& slot) {
    if (!slot.awaited && slot.outcome.failure && !is_cancellation(slot.outcome.failure))
      log::warn("an operation nobody waits for any more failed: {}", to_error(slot.outcome.failure).message());
    slot.done.set();
    --running_;
    idle_.notify();
  }

  asio::any_io_executor executor_;
  Notifier idle_;
  int running_ = 0;
  bool closed_ = false;
};

}  // namespace gantry::engine
