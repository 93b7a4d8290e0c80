#include "gantry/base/log.h"
#include "impl.h"

namespace gantry::engine {

task<> Engine::Impl::pause(ContainerId id) {
  auto container = find(id);
  auto guard = co_await container->mutex.lock();
  co_await pause_locked(container);
}

task<> Engine::Impl::unpause(ContainerId id) {
  auto container = find(id);
  auto guard = co_await container->mutex.lock();
  require_next_state(container->state(), Transition::unpause, container->name());
  co_await unpause_locked(container);
}

task<> Engine::Impl::pause_locked(ContainerPtr container) {
  step("pause: row");
  commit(*container, Transition::pause, [](Record&) {});
  std::exception_ptr failure;
  try {
    co_await parts.runtime.freeze(container->id());
  } catch (...) {
    failure = std::current_exception();
  }
  step("pause: frozen");
  bool still = container->state() == State::paused;
  if (failure && still) commit(*container, Transition::unpause, [](Record&) {});
  if (failure) std::rethrow_exception(failure);
  // A kill that came in between has made it go on, perhaps before it had halted.
  if (!still) {
    co_await parts.runtime.thaw(container->id());
    co_return;
  }
  events->publish(event(*container, "pause"));
}

task<> Engine::Impl::unpause_locked(ContainerPtr container) {
  step("unpause: row");
  commit(*container, Transition::unpause, [](Record&) {});
  co_await parts.runtime.thaw(container->id());
  events->publish(event(*container, "unpause"));
}

task<> Engine::Impl::settle_freezer(ContainerPtr container) {
  try {
    if (container->state() == State::paused) {
      co_await parts.runtime.freeze(container->id());
    } else {
      co_await parts.runtime.thaw(container->id());
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) throw;
    log::warn("container {}: {}", container->name(), error.message());
  }
}

}  // namespace gantry::engine
