#include <signal.h>

#include "gantry/base/log.h"
#include "impl.h"
#include "signals.h"

namespace gantry::engine {
namespace {

constexpr Duration kDefaultGrace = std::chrono::seconds(10);
// SIGKILL cannot be refused; who is still there after this is stuck in the kernel.
constexpr Duration kKillLimit = std::chrono::seconds(30);

SteadyTime after(Duration duration) {
  return std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration);
}

}  // namespace

task<> Engine::Impl::stop(ContainerId id, std::optional<Duration> grace, std::string signal) {
  auto container = find(id);
  // A back-off is over at once, also while another operation has the container.
  call_off_back_off(*container);
  auto guard = co_await container->mutex.lock();
  StopRequest request;
  request.grace = grace;
  if (!signal.empty()) request.signal = signal_number(signal);
  co_await stop_locked(container, request);
}

task<> Engine::Impl::restart(ContainerId id, std::optional<Duration> grace, std::string signal) {
  auto container = find(id);
  call_off_back_off(*container);
  auto guard = co_await container->mutex.lock();
  StopRequest request{.grace = grace, .by_user = false, .afterwards = Afterwards::start};
  if (!signal.empty()) request.signal = signal_number(signal);
  if (container->run) co_await stop_locked(container, request);
  co_await start_locked(container, Wanted::by_user);
  events->publish(event(*container, "restart"));
}

task<> Engine::Impl::kill(ContainerId id, std::string signal) {
  auto container = find(id);
  int number = signal_number(signal);
  if (!container->run)
    throw Error(ErrorKind::conflict, "container " + container->name() + " is not running", "start it first");
  bool meant_to_end = number == SIGKILL || number == signal_number(container->record.internals.resolved.stop_signal);
  std::vector<Event> told;
  told.push_back(event(*container, "kill", "signal", signal_name(number)));
  amend(
      *container, [&](Record& record) { record.info.stopped_by_user = record.info.stopped_by_user || meant_to_end; },
      std::move(told));
  co_await parts.runtime.signal(id, number);
  // Who is to end must be able to. No mutex: a stop that waits for its grace to pass has it.
  if (meant_to_end && container->state() == State::paused) co_await unpause_locked(container);
}

task<> Engine::Impl::stop_locked(ContainerPtr container, StopRequest request) {
  bool for_good = request.by_user && request.afterwards == Afterwards::stay;
  if (container->state() == State::restarting) {
    commit(*container, Transition::ended, [&](Record& record) { record.info.stopped_by_user = for_good; });
    co_return;
  }
  auto run = container->run;
  if (!run) {
    if (for_good && !container->record.info.stopped_by_user && container->state() == State::exited)
      amend(*container, [](Record& record) { record.info.stopped_by_user = true; });
    co_return;
  }
  step("stop: row");
  bool paused = container->state() == State::paused;
  commit(*container, Transition::stop, [&](Record& record) {
    record.info.stopped_by_user = for_good;
    record.internals.start_after_stop = !for_good;
  });
  if (paused) co_await settle_freezer(container);
  auto grace = request.grace.value_or(container->record.info.spec.stop_grace.value_or(kDefaultGrace));
  co_await end_run(container, run, grace, request.signal);
  step("stop: ended");
  co_await run_ended_locked(container, run, request.afterwards);
  events->publish(event(*container, "stop"));
}

task<> Engine::Impl::end_run(ContainerPtr container, RunPtr run, Duration grace, std::optional<int> signal) {
  if (!run->exit && grace > Duration::zero()) {
    int number = signal.value_or(signal_number(container->record.internals.resolved.stop_signal));
    events->publish(event(*container, "kill", "signal", signal_name(number)));
    try {
      co_await parts.runtime.signal(container->id(), number);
    } catch (const Error& error) {
      log::debug("container {}: stop signal: {}", container->name(), error.message());
    }
    if (co_await wait_exit(container, run, after(grace))) co_return;
  }
  if (run->exit) co_return;
  events->publish(event(*container, "kill", "signal", signal_name(SIGKILL)));
  co_await kill_processes(container);
  if (!co_await wait_exit(container, run, after(kKillLimit)))
    throw Error(ErrorKind::unavailable, "container " + container->name() + " does not end although it was killed",
                "a process of it hangs in the kernel, often on network storage: see dmesg");
}

// What counts is whether it ends: a kill that meets it ending may fail on what is going away.
task<> Engine::Impl::kill_processes(ContainerPtr container) {
  try {
    co_await parts.runtime.kill_all(container->id());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) throw;
    log::warn("container {}: killing its processes: {}", container->name(), error.message());
  }
}

task<bool> Engine::Impl::wait_exit(ContainerPtr container, RunPtr run, std::optional<SteadyTime> deadline) {
  while (!run->exit) {
    if (closing) throw Error(ErrorKind::cancelled, "gantryd is stopping");
    if (deadline && std::chrono::steady_clock::now() >= *deadline) co_return false;
    co_await container->changed.wait(deadline);
  }
  co_return true;
}

}  // namespace gantry::engine
