#include "gantry/base/log.h"
#include "impl.h"

namespace gantry::engine {
namespace {

template <class T>
void take(const std::optional<T>& from, std::optional<T>* to) {
  if (from) *to = from;
}

void merge(const Resources& from, Resources* to) {
  take(from.memory, &to->memory);
  take(from.memory_swap, &to->memory_swap);
  take(from.memory_reservation, &to->memory_reservation);
  take(from.cpu_shares, &to->cpu_shares);
  take(from.cpuset, &to->cpuset);
  take(from.cpuset_mems, &to->cpuset_mems);
  take(from.pids, &to->pids);
  take(from.block_io, &to->block_io);
  take(from.cpu_period, &to->cpu_period);
  // Two words for one limit: the later one counts.
  if (from.cpus) to->cpu_quota.reset(), to->cpu_period.reset();
  if (from.cpu_quota || from.cpu_period) to->cpus.reset();
  take(from.cpus, &to->cpus);
  take(from.cpu_quota, &to->cpu_quota);
}

void require_sensible(const ContainerSpec& spec, const ContainerUpdate& change) {
  if (change.restart && change.restart->mode != RestartMode::no && spec.auto_remove)
    throw Error(ErrorKind::conflict, "container " + spec.name + " is removed when it ends: it cannot be restarted",
                "create it without --rm");
  const auto& own = spec.resources;
  const auto& wanted = change.resources;
  if (wanted.memory && !wanted.memory_swap && own.memory_swap && *own.memory_swap < *wanted.memory)
    throw Error(ErrorKind::invalid, "the memory limit would be above that of memory and swap together",
                "change memory_swap at the same time");
}

}  // namespace

task<> Engine::Impl::apply_limits(ContainerPtr container) {
  PlanInputs inputs;
  inputs.paths = paths_of(container->id());
  inputs.network_files = inputs.paths.root;
  inputs.capabilities = capabilities;
  // Only the limits are looked at.
  auto record = container->record;
  record.internals.resolved.mounts.clear();
  auto plan = make_plan(record, inputs);
  co_await parts.runtime.update(container->id(), std::move(plan));
}

task<> Engine::Impl::settle_limits(ContainerPtr container) {
  try {
    co_await apply_limits(container);
    amend(*container, [](Record& record) { record.internals.limits_in_doubt = false; });
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) throw;
    log::warn("container {}: an update that was interrupted: {}", container->name(), error.message());
  }
}

task<> Engine::Impl::update(ContainerId id, ContainerUpdate change) {
  auto container = find(id);
  auto guard = co_await container->mutex.lock();
  require_kept(*container);
  const auto before = container->record.info.spec;
  require_sensible(before, change);
  auto after = before;
  merge(change.resources, &after.resources);
  if (change.restart) after.restart = *change.restart;
  require_valid(after);
  bool live = container->run && !container->run->exit;
  step("update: row");
  amend(*container, [&](Record& record) {
    record.info.spec = after;
    record.internals.limits_in_doubt = live;
  });
  std::exception_ptr failure;
  try {
    step("update: limits");
    if (live) co_await apply_limits(container);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) amend(*container, [&](Record& record) { record.info.spec = before; });
  if (failure && live) {
    try {
      co_await apply_limits(container);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cancelled) throw;
      log::warn("container {}: its limits before the update: {}", container->name(), error.message());
    }
  }
  std::vector<Event> told;
  if (!failure) told.push_back(event(*container, "update"));
  amend(
      *container, [](Record& record) { record.internals.limits_in_doubt = false; }, std::move(told));
  if (failure) std::rethrow_exception(failure);
}

}  // namespace gantry::engine
