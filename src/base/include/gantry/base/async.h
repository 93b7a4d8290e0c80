#pragma once

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "gantry/base/error.h"
#include "gantry/base/time.h"

/// The coroutine rules in code. One executor (the control thread) owns the control state; what blocks runs on a
/// WorkerPool and comes back; every task belongs to a Scope that is closed and awaited.
namespace gantry {

namespace asio = boost::asio;

template <class T = void>
using task = asio::awaitable<T>;

/// A home for background tasks. `close` asks all of them to stop (cancellation, type all) and waits until they have.
/// A task that ends with an exception is logged here, once, under its name; cancellation is not an error.
/// Use from the executor's thread only. Must be closed before it is destroyed.
class Scope {
 public:
  explicit Scope(asio::any_io_executor executor);
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope();

  /// Starts `work` now. Pass a coroutine's task; parameters of the coroutine must be taken by value.
  void spawn(std::string name, task<> work);
  task<> close();
  std::size_t size() const;
  bool closing() const;
  const asio::any_io_executor& executor() const { return executor_; }

 private:
  struct State;
  asio::any_io_executor executor_;
  std::shared_ptr<State> state_;
};

/// Threads for what blocks (hashing, unpacking, mounting, waiting). `run` resumes on the caller's executor with the
/// function's result or exception. The function cannot be cancelled: it runs to its end and the caller waits for it.
class WorkerPool {
 public:
  explicit WorkerPool(std::size_t threads) : pool_(threads) {}
  ~WorkerPool() { pool_.join(); }

  template <class F>
  task<std::invoke_result_t<F>> run(F function) {
    using R = std::invoke_result_t<F>;
    // A shared result, because the awaiting coroutine may be unwound by cancellation while the function still runs.
    struct Slot {
      std::exception_ptr failure;
      std::conditional_t<std::is_void_v<R>, char, std::optional<R>> value{};
    };
    auto slot = std::make_shared<Slot>();
    auto executor = co_await asio::this_coro::executor;
    auto initiate = [this, slot, executor](auto handler, F work) {
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      asio::post(pool_, [slot, executor, shared, work = std::move(work)]() mutable {
        try {
          if constexpr (std::is_void_v<R>) {
            work();
          } else {
            slot->value.emplace(work());
          }
        } catch (...) {
          slot->failure = std::current_exception();
        }
        asio::post(executor, [shared]() mutable { std::move (*shared)(); });
      });
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(initiate, asio::use_awaitable,
                                                                         std::move(function));
    if (slot->failure) std::rethrow_exception(slot->failure);
    if constexpr (!std::is_void_v<R>) co_return std::move(*slot->value);
  }

 private:
  asio::thread_pool pool_;
};

/// Suspends for `duration`. Throws Error (cancelled) when the task is cancelled.
task<> sleep_for(std::chrono::nanoseconds duration);

/// Runs a task with a deadline; past it the task is cancelled and an Error (timeout) naming `what` is thrown.
template <class T>
task<T> with_timeout(std::string what, std::chrono::nanoseconds limit, task<T> work);

/// Something that happened, awaited by many: `set` wakes all waiters; waiting on a set event returns at once.
/// One executor only.
class Event {
 public:
  explicit Event(asio::any_io_executor executor) : timer_(std::move(executor), asio::steady_timer::time_point::max()) {}
  void set() {
    set_ = true;
    timer_.cancel();
  }
  bool is_set() const { return set_; }
  /// Throws Error (cancelled) when the waiting task is cancelled.
  task<> wait();

 private:
  asio::steady_timer timer_;
  bool set_ = false;
};

/// At most `count` at once; the rest wait their turn, first come, first served. One executor; outlives who waits.
class Permits {
 public:
  Permits(asio::any_io_executor executor, int count) : executor_(std::move(executor)), free_(count) {}
  class [[nodiscard]] Permit {
   public:
    explicit Permit(Permits* owner) : owner_(owner) {}
    Permit(Permit&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
    Permit& operator=(Permit&&) = delete;
    ~Permit() { give_back(); }
    void give_back() {
      if (auto* owner = std::exchange(owner_, nullptr)) owner->give_back();
    }

   private:
    Permits* owner_;
  };
  /// Throws Error (cancelled) when the waiting task is cancelled.
  task<Permit> acquire();

 private:
  void give_back();
  asio::any_io_executor executor_;
  int free_;
  std::deque<std::shared_ptr<Event>> waiting_;
};

/// Fair mutual exclusion between coroutines on one executor (no thread ever blocks). Allowed across co_await, since
/// that is what it is for: one operation at a time on one object.
class AsyncMutex {
 public:
  explicit AsyncMutex(asio::any_io_executor executor) : turns_(std::move(executor), 1) {}
  using Guard = Permits::Permit;
  task<Guard> lock() { return turns_.acquire(); }

 private:
  Permits turns_;
};

/// Runs all tasks side by side and waits for every one; then throws the first failure, if there was one.
task<> all(std::vector<task<>> work);

/// True for an exception that only means "this task was cancelled".
bool is_cancellation(std::exception_ptr failure);
/// One line for a log or an answer, whatever was thrown.
Error to_error(std::exception_ptr failure);

namespace detail {
template <class T>
struct Outcome {
  std::exception_ptr failure;
  std::conditional_t<std::is_void_v<T>, char, std::optional<T>> value{};
  bool finished = false;
};

// `||` waits for one success, so a failure is an ordinary outcome here and thrown again outside.
template <class T>
task<> settle(task<T> work, Outcome<T>* outcome) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(work);
    } else {
      outcome->value.emplace(co_await std::move(work));
    }
  } catch (...) {
    outcome->failure = std::current_exception();
  }
  outcome->finished = true;
}
}  // namespace detail

template <class T>
task<T> with_timeout(std::string what, std::chrono::nanoseconds limit, task<T> work) {
  using namespace asio::experimental::awaitable_operators;
  detail::Outcome<T> outcome;
  // No timer here: what does not depend on T is compiled into every file that includes this one.
  auto winner = co_await (detail::settle<T>(std::move(work), &outcome) || sleep_for(limit));
  bool expired = winner.index() == 1;
  if (expired && !(outcome.finished && !outcome.failure))
    throw Error(ErrorKind::timeout, what + ": no answer within " + to_string(Duration(limit)));
  if (outcome.failure) std::rethrow_exception(outcome.failure);
  if constexpr (!std::is_void_v<T>) co_return std::move(*outcome.value);
}

}  // namespace gantry
