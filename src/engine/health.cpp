#include <signal.h>

#include <algorithm>

#include "gantry/base/json.h"
#include "gantry/base/log.h"
#include "impl.h"

namespace gantry::engine {
namespace {

constexpr std::size_t kKeptOutput = 4096;
constexpr std::size_t kKeptResults = 5;
// What comes up fast is found healthy fast; a failure of this first look does not count.
constexpr Duration kFirstLook = std::chrono::milliseconds(500);

bool over(const Container& container, const RunPtr& run) {
  bool up = container.state() == State::running || container.state() == State::paused;
  return container.run != run || run->exit || !up;
}

SteadyTime after(Duration duration) {
  return std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration);
}

task<> read_output(StdioSession* session, std::string* output) {
  while (auto chunk = co_await session->read())
    output->append(chunk->data, 0, kKeptOutput - std::min(kKeptOutput, output->size()));
}

task<int> run_check(runtime::ExecProcess* process, StdioSession* session, std::string* output) {
  co_await read_output(session, output);
  auto status = co_await process->wait();
  co_return status.code;
}

}  // namespace

// True: go on checking. While it is paused nobody is asked.
task<bool> Engine::Impl::pause_check(ContainerPtr container, RunPtr run, Duration pause) {
  auto deadline = after(pause);
  while (!over(*container, run)) {
    std::optional<SteadyTime> until;
    if (container->state() != State::paused) until = deadline;
    if (until && std::chrono::steady_clock::now() >= *until) break;
    co_await container->changed.wait(until);
  }
  co_return !over(*container, run);
}

task<> Engine::Impl::check_health(ContainerPtr container, RunPtr run) {
  const auto check = *container->record.internals.resolved.health;
  auto& info = container->record.info;
  auto lenient_until = info.started.value_or(now()) + check.start_period;
  bool first = info.health == Health::starting;
  for (;;) {
    bool lenient = info.health == Health::starting && now() < lenient_until;
    auto pause = lenient ? check.start_interval : check.interval;
    bool look = std::exchange(first, false);
    if (look) pause = std::min(pause, kFirstLook);
    if (!co_await pause_check(container, run, pause)) co_return;
    lenient = info.health == Health::starting && now() < lenient_until;
    auto result = co_await check_once(container, check);
    if (over(*container, run)) co_return;
    if (container->state() == State::paused) continue;  // it could not answer
    record_check(*container, std::move(result), !lenient && !look);
    if (info.health == Health::unhealthy && info.spec.restart.mode != RestartMode::no) break;
  }
  co_await operations.run(restart_unhealthy(container, run));
}

task<HealthResult> Engine::Impl::check_once(ContainerPtr container, HealthCheck check) {
  HealthResult result;
  result.started = now();
  std::shared_ptr<runtime::ExecProcess> process;
  std::exception_ptr failure;
  try {
    ExecSpec spec;
    spec.argv = check.test;
    process = co_await execute(container, std::move(spec));
    auto session = process->session();
    auto work = run_check(process.get(), session.get(), &result.output);
    result.exit_code = co_await with_timeout("health check", check.timeout, std::move(work));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    auto error = to_error(failure);
    if (error.kind() == ErrorKind::cancelled) std::rethrow_exception(failure);
    if (process && error.kind() == ErrorKind::timeout) process->signal(SIGKILL);
    result.exit_code = -1;
    result.output = error.message();
  }
  result.ended = now();
  co_return result;
}

// Only a change of the verdict is worth a row: the rest is about this run and goes with it.
void Engine::Impl::record_check(Container& container, HealthResult result, bool counts) {
  auto& info = container.record.info;
  bool good = result.exit_code == 0;
  info.health_log.push_back(std::move(result));
  if (info.health_log.size() > kKeptResults) info.health_log.erase(info.health_log.begin());
  if (!good && !counts) return;
  info.health_failures = good ? 0 : info.health_failures + 1;
  auto verdict = info.health;
  if (good) verdict = Health::healthy;
  if (info.health_failures >= container.record.internals.resolved.health->retries) verdict = Health::unhealthy;
  if (verdict == info.health) return;
  std::vector<Event> told;
  told.push_back(event(container, "health_status", "health", json::name_of(verdict)));
  amend(
      container, [&](Record& record) { record.info.health = verdict; }, std::move(told));
}

task<> Engine::Impl::restart_unhealthy(ContainerPtr container, RunPtr run) {
  auto guard = co_await container->mutex.lock();
  if (over(*container, run)) co_return;
  const auto& info = container->record.info;
  Ending ending{.unhealthy = true, .restart_count = info.restart_count};
  if (!decide_restart(info.spec.restart, ending)) co_return;
  log::warn("container {} is unhealthy after {} failed checks in a row: restarting it", container->name(),
            info.health_failures);
  run->unhealthy = true;
  StopRequest request{.by_user = false, .afterwards = Afterwards::by_policy};
  co_await stop_locked(container, request);
}

}  // namespace gantry::engine
