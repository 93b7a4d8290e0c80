#include <set>

#include "gantry/base/files.h"
#include "gantry/base/json.h"
#include "gantry/base/log.h"
#include "impl.h"

// After a start of the daemon every row is brought to what the kernel says, in this order: ask the runtime about each
// container; let the network keep what the living ones hold and free the rest; then finish or undo what was going on.
namespace gantry::engine {
namespace {

constexpr int kKilledCode = 137;
constexpr int kRebootCode = 255;

struct Survey {
  ContainerPtr container;
  runtime::Adopted found;
};

task<> look(runtime::Runtime* runtime, std::filesystem::path state_dir, Survey* survey) {
  survey->found = co_await runtime->adopt(survey->container->id(), std::move(state_dir));
}

// An exit record of an earlier run says nothing about this one.
bool is_of_this_run(const Record& record, const runtime::Adopted& found) {
  auto began = record.internals.start_began;
  return found.exit && (!began || found.exit->time >= *began);
}

runtime::ExitRecord lost_exit(bool rebooted) {
  runtime::ExitRecord exit;
  exit.status.code = rebooted ? kRebootCode : kKilledCode;
  exit.status.signaled = !rebooted;
  exit.time = now();
  return exit;
}

}  // namespace

task<> Engine::Impl::recover() {
  for (auto& record : records.load()) {
    auto container = std::make_shared<Container>(parts.executor, std::move(record));
    containers.emplace(container->id(), container);
  }
  std::vector<Survey> surveys;
  for (const auto& [id, container] : containers) surveys.push_back({container, {}});
  std::vector<task<>> looking;
  for (auto& survey : surveys)
    if (is_active(survey.container->state()))
      looking.push_back(look(&parts.runtime, paths_of(survey.container->id()).state(), &survey));
  co_await all(std::move(looking));

  std::vector<ContainerId> alive;
  for (const auto& survey : surveys)
    if (is_active(survey.container->state()) && survey.found.what == runtime::Adopted::What::running)
      alive.push_back(survey.container->id());
  co_await parts.networks.recover(std::move(alive));
  co_await remove_leftovers();
  std::vector<task<>> removals;
  for (auto& survey : surveys) {
    co_await recover_container(survey.container, survey.found);
    if (survey.container->record.internals.hidden) removals.push_back(remove_step(survey.container->id()));
  }
  co_await all(std::move(removals));
  co_await recover_volumes();
}

// Whoever waited for a build step went away with the daemon. This is waited for: the files it writes are the builder's,
// who clears them away next.
task<> Engine::Impl::remove_step(ContainerId id) {
  RemoveOptions options{.force = true};
  try {
    co_await remove(id, options);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) throw;
    log::warn("container {}: removing a step of a build: {}", short_id(id), error.message());
  }
}

task<> Engine::Impl::remove_leftovers() {
  co_await parts.runtime.sweep();
  for (const auto& id : parts.runtime.leftovers()) {
    auto known = containers.find(id);
    if (known != containers.end() && is_active(known->second->state())) continue;
    log::info("container {}: removing what was left of it", short_id(id));
    co_await parts.runtime.remove(id);
  }
  auto root = data_dir / "containers";
  std::set<std::string> known;
  for (const auto& [id, container] : containers) known.insert(id.str());
  auto sweep = [root, known, standby = standby_dir()] {
    remove_tree(standby);
    for (const auto& entry : std::filesystem::directory_iterator(root))
      if (!known.contains(entry.path().filename().string())) remove_tree(entry.path());
  };
  co_await parts.pool.run(std::move(sweep));
  empty_trash();
}

task<> Engine::Impl::recover_container(ContainerPtr container, runtime::Adopted found) {
  const auto& record = container->record;
  if (is_active(container->state())) co_await recover_active(container, found);
  if (container->gone) co_return;
  begin_forwarding(container);
  if (record.internals.hidden) co_return;
  // Whoever waited for a container to be removed after its end went away with the daemon.
  bool unwanted =
      container->state() == State::removing || (record.info.spec.auto_remove && container->state() == State::exited);
  if (unwanted) {
    RemoveOptions options{.force = true, .volumes = record.internals.remove_volumes};
    operations.start(remove(container->id(), options));
  } else if (container->state() == State::restarting) {
    begin_back_off(container, Duration::zero());
  }
}

task<> Engine::Impl::recover_active(ContainerPtr container, runtime::Adopted found) {
  using What = runtime::Adopted::What;
  const auto& record = container->record;
  if (found.what == What::running) {
    co_await settle_freezer(container);
    if (record.internals.limits_in_doubt) co_await settle_limits(container);
    if (container->state() != State::stopping) {
      adopt_running(container, {.pid = found.pid, .launcher = found.launcher});
      if (record.internals.network_changing) operations.start(finish_network_change(container));
    } else {
      adopt_run(container);
      operations.start(finish_stop(container));
    }
    co_return;
  }
  bool ended = found.what == What::exited && is_of_this_run(record, found);
  if (!ended && container->state() == State::starting) {
    co_await undo_start(container);
    co_return;
  }
  auto run = std::make_shared<Run>();
  bool rebooted = record.internals.boot_id != boot_id;
  run->exit = ended ? *found.exit : lost_exit(rebooted);
  // A program that ended because the machine went down did not end by itself, however politely it did.
  if (rebooted) run->error = "the machine restarted";
  if (!ended && !rebooted) run->error = "was killed while gantryd was not running";
  container->run = run;
  auto afterwards = Afterwards::by_policy;
  if (container->state() == State::stopping)
    afterwards = record.internals.start_after_stop ? Afterwards::start : Afterwards::stay;
  auto guard = co_await container->mutex.lock();
  co_await run_ended_locked(container, run, afterwards);
}

// The start was asked for and never answered: what it made goes, and it is tried again.
task<> Engine::Impl::undo_start(ContainerPtr container) {
  auto guard = co_await container->mutex.lock();
  co_await release_network(container);
  co_await release_runtime(container);
  bool again = !container->record.info.spec.auto_remove && !container->record.internals.hidden;
  commit(*container, again ? Transition::ended_again : Transition::ended, [&](Record& record) {
    record.info.error = "gantryd ended while it was being started";
    record.info.pid = 0;
    record.info.addresses.clear();
    record.info.ports.clear();
  });
  if (!again) co_await remove_locked(container, true);
}

RunPtr Engine::Impl::adopt_run(ContainerPtr container) {
  container->run = std::make_shared<Run>();
  container->attachable = true;
  background.spawn("container " + container->name() + ": wait", watch(container, container->run));
  return container->run;
}

// The program runs: said once, whether it was started just now or found running.
void Engine::Impl::adopt_running(ContainerPtr container, const runtime::Created& created) {
  if (container->state() == State::starting) {
    std::vector<Event> told;
    told.push_back(event(*container, "start"));
    commit(
        *container, Transition::started,
        [&](Record& record) {
          bool checked = record.internals.resolved.health.has_value();
          record.info.pid = created.pid;
          record.info.launcher = json::name_of(created.launcher);
          record.info.launcher_reason = created.handed_over;
          record.info.started = now();
          record.info.finished.reset();
          record.info.exit_code = 0;
          record.info.oom_killed = false;
          record.info.health = checked ? Health::starting : Health::none;
          record.info.health_failures = 0;
          record.info.health_log.clear();
        },
        std::move(told));
  }
  auto run = adopt_run(container);
  begin_forwarding(container);
  if (container->record.internals.resolved.health)
    background.spawn("container " + container->name() + ": health", check_health(container, run));
}

task<> Engine::Impl::finish_stop(ContainerPtr container) {
  auto guard = co_await container->mutex.lock();
  if (!container->run) co_return;
  bool again = container->record.internals.start_after_stop;
  StopRequest request;
  request.by_user = !again;
  request.afterwards = again ? Afterwards::start : Afterwards::stay;
  co_await stop_locked(container, request);
  if (again) begin_back_off(container, Duration::zero());
}

}  // namespace gantry::engine
