#include "gantry/base/log.h"
#include "impl.h"

namespace gantry::engine {
namespace {

Duration ran_for(const ContainerInfo& info, Timestamp end) {
  return info.started && end > *info.started ? end - *info.started : Duration::zero();
}

}  // namespace

task<> Engine::Impl::watch(ContainerPtr container, RunPtr run) {
  auto exit = co_await parts.runtime.wait(container->id());
  if (closing) co_return;
  run->exit = exit;
  wake(*container);
  co_await operations.run(run_ended(container, run));
}

task<> Engine::Impl::run_ended(ContainerPtr container, RunPtr run) {
  auto guard = co_await container->mutex.lock();
  // A stop that was waiting for this exit has recorded it already.
  if (container->run == run) co_await run_ended_locked(container, run, Afterwards::by_policy);
}

// The network goes before the exit becomes visible, so that whoever waited for the end finds the ports free; the
// runtime's side after it, because until the row is written the exit status is only there.
task<> Engine::Impl::run_ended_locked(ContainerPtr container, RunPtr run, Afterwards afterwards) {
  auto exit = *run->exit;
  const auto& info = container->record.info;
  co_await unplug(container);

  std::optional<Restart> again;
  if (afterwards == Afterwards::start) again = Restart{};
  if (afterwards == Afterwards::by_policy) {
    Ending ending{.exit_code = exit.status.code, .unhealthy = run->unhealthy, .stopped_by_user = info.stopped_by_user};
    ending.restart_count = info.restart_count;
    ending.failures = container->record.internals.failures;
    ending.ran = ran_for(info, exit.time);
    again = decide_restart(info.spec.restart, ending);
  }
  std::vector<Event> told;
  if (exit.status.oom_killed) told.push_back(event(*container, "oom"));
  told.push_back(event(*container, "die", "exit_code", std::to_string(exit.status.code)));
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(ran_for(info, exit.time)).count();
  told.back().attributes["exec_duration"] = std::to_string(seconds);
  for (const auto& address : info.addresses) told.push_back(network_event(*container, "disconnect", address));
  for (auto& unmounted : volume_events(*container, "unmount")) told.push_back(std::move(unmounted));
  commit(
      *container, again ? Transition::ended_again : Transition::ended,
      [&](Record& record) {
        record.info.exit_code = exit.status.code;
        record.info.oom_killed = exit.status.oom_killed;
        record.info.error = run->error;
        record.info.finished = exit.time;
        record.info.pid = 0;
        record.info.addresses.clear();
        record.info.ports.clear();
        record.info.health = Health::none;
        record.internals.start_after_stop = false;
        if (again) record.internals.failures = again->failures;
      },
      std::move(told), lease_rows_of(container->id()));
  parts.networks.released(container->id());
  container->run.reset();
  ++container->endings;
  wake(*container);
  step("exit: release");
  let_go_of_runtime(container);
  let_go_of_volumes(*container);
  // The builder goes on with the files it has written.
  if (container->record.internals.hidden) co_await has_left(container);
  if (again && afterwards == Afterwards::by_policy) begin_back_off(container, again->delay);
  if (!again && info.spec.auto_remove) co_await remove_locked(container, true);
}

void Engine::Impl::begin_back_off(ContainerPtr container, Duration delay) {
  auto ticket = ++container->back_off_ticket;
  background.spawn("container " + container->name() + ": restart", back_off(container, ticket, delay));
}

task<> Engine::Impl::back_off(ContainerPtr container, std::uint64_t ticket, Duration delay) {
  auto deadline =
      std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(delay);
  while (std::chrono::steady_clock::now() < deadline) {
    if (container->gone || container->back_off_ticket != ticket) co_return;
    co_await container->changed.wait(deadline);
  }
  auto permit = co_await restarts.acquire();
  if (!closing) co_await operations.run(start_again(container, ticket));
}

task<> Engine::Impl::start_again(ContainerPtr container, std::uint64_t ticket) {
  auto guard = co_await container->mutex.lock();
  bool called_off = container->gone || container->back_off_ticket != ticket || container->state() != State::restarting;
  if (!called_off) co_await start_locked(container, Wanted::by_policy);
}

task<ExitStatus> Engine::Impl::wait_launched(ContainerPtr container, bool removed) {
  while (!container->gone && (removed || container->endings == 0)) {
    if (closing) throw Error(ErrorKind::cancelled, "gantryd is stopping");
    co_await container->changed.wait();
  }
  const auto& info = container->record.info;
  co_return ExitStatus{.code = info.exit_code, .signaled = false, .oom_killed = info.oom_killed};
}

task<ExitStatus> Engine::Impl::wait(ContainerId id, WaitCondition condition) {
  auto container = find(id);
  auto endings = container->endings;
  auto met = [&] {
    if (container->gone) return true;
    switch (condition) {
      case WaitCondition::not_running:
        return !is_active(container->state()) && container->state() != State::restarting;
      case WaitCondition::next_exit:
        return container->endings != endings;
      case WaitCondition::removed:
        return false;
    }
    return true;
  };
  while (!met()) {
    if (closing) throw Error(ErrorKind::cancelled, "gantryd is stopping");
    co_await container->changed.wait();
  }
  const auto& info = container->record.info;
  co_return ExitStatus{.code = info.exit_code, .signaled = false, .oom_killed = info.oom_killed};
}

}  // namespace gantry::engine
