#include "gantry/engine/build_executor.h"

#include <unistd.h>

namespace gantry::engine {
namespace {

std::uint64_t machine_memory() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void limit(Resources& resources, const build::Limits& limits) {
  if (limits.memory) resources.memory = limits.memory;
  if (limits.memory_swap) resources.memory_swap = limits.memory_swap;
  if (limits.cpu_shares) resources.cpu_shares = limits.cpu_shares;
  resources.cpu_period = limits.cpu_period;
  resources.cpu_quota = limits.cpu_quota;
  resources.cpuset = limits.cpuset;
  resources.cpuset_mems = limits.cpuset_mems;
  resources.shm_size = limits.shm_size;
}

task<int> run_step(Engine* engine, ContainerId id, std::function<void(std::string_view)> output) {
  auto session = co_await engine->attach(id);
  co_await engine->start(id);
  while (auto chunk = co_await session->read()) output(chunk->data);
  auto status = co_await engine->wait(id, WaitCondition::not_running);
  co_return status.code;
}

}  // namespace

BuildExecutor::BuildExecutor(Engine& engine, BuildBudget budget) : engine_(engine), budget_(budget) {
  if (!budget_.memory) budget_.memory = machine_memory() / 4 * 3;
}

ContainerSpec BuildExecutor::spec_of(const build::RunRequest& request) const {
  ContainerSpec spec;
  spec.image = "build step";
  spec.entrypoint = request.argv;
  spec.environment = request.environment;
  spec.user = request.user;
  spec.working_dir = request.working_dir;
  spec.labels[kBuildLabel] = "run";
  spec.resources.pids = budget_.pids;
  spec.resources.memory = budget_.memory;
  spec.log.max_files = 1;
  for (const auto& wanted : request.mounts) {
    Mount mount;
    mount.type = wanted.source.empty() ? MountType::tmpfs : MountType::bind;
    mount.source = wanted.source.string();
    mount.target = wanted.target;
    mount.read_only = wanted.read_only;
    mount.tmpfs_size = wanted.size;
    spec.mounts.push_back(std::move(mount));
  }
  spec.no_network = request.network == "none";
  if (request.network == "host") spec.namespaces.network = Namespace{.mode = NamespaceMode::host};
  spec.extra_hosts = request.extra_hosts;
  limit(spec.resources, request.limits);
  for (const auto& one : request.ulimits) spec.ulimits.push_back({one.name, one.soft, one.hard});
  return spec;
}

task<int> BuildExecutor::run(build::RunRequest request, std::function<void(std::string_view)> output) {
  StepRoot root{.layers = request.layers, .upper = request.upper, .work = request.work};
  root.group = runtime::SharedGroup{"builds", budget_.memory, budget_.cpu_shares, budget_.io_weight};
  auto id = co_await engine_.create_step(spec_of(request), std::move(root));
  int code = 0;
  std::exception_ptr failure;
  try {
    code = co_await run_step(&engine_, id, std::move(output));
  } catch (...) {
    failure = std::current_exception();
  }
  // The builder takes the upper directory from here on: the container must be gone first, also when we are cancelled.
  if (failure) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  RemoveOptions options{.force = true, .volumes = true};
  co_await engine_.remove(id, options);
  if (failure) std::rethrow_exception(failure);
  co_return code;
}

}  // namespace gantry::engine
