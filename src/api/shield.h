#pragma once

#include "gantry/base/async.h"
#include "gantry/base/log.h"

namespace gantry::api {

namespace detail {

template <class T>
struct Shielded {
  explicit Shielded(asio::any_io_executor executor) : done(std::move(executor)) {}
  gantry::detail::Outcome<T> outcome;
  Event done;
  bool abandoned = false;
};

template <class T>
task<> run_shielded(std::string name, task<T> work, std::shared_ptr<Shielded<T>> shared) {
  co_await gantry::detail::settle<T>(std::move(work), &shared->outcome);
  shared->done.set();
  if (shared->abandoned && shared->outcome.failure && !is_cancellation(shared->outcome.failure))
    log::warn("{}, whose client had gone: {}", name, to_error(shared->outcome.failure).message());
}

}  // namespace detail

/// Runs a change in `scope`, so that it is carried through when the client goes away: cancelling the caller ends only
/// the waiting. Closing the scope cancels the change itself.
template <class T>
task<T> shield(Scope& scope, std::string name, task<T> work) {
  if (scope.closing()) throw Error(ErrorKind::unavailable, "the daemon is stopping", "try again when it is back");
  auto shared = std::make_shared<detail::Shielded<T>>(scope.executor());
  scope.spawn(name, detail::run_shielded<T>(name, std::move(work), shared));
  try {
    co_await shared->done.wait();
  } catch (...) {
    shared->abandoned = true;
    throw;
  }
  if (shared->outcome.failure) std::rethrow_exception(shared->outcome.failure);
  if constexpr (!std::is_void_v<T>) co_return std::move(*shared->outcome.value);
}

}  // namespace gantry::api
