#include "gantry/engine/build_executor.h"

#include <unistd.h>

namespace gantry::engine {
namespace {

std::uint64_t machine_memory() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
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
  spec.resources.cpu_shares = budget_.cpu_shares;
  spec.resources.pids = budget_.pids;
  spec.resources.memory = budget_.memory;
  spec.log.max_files = 1;
  return spec;
}

task<int> BuildExecutor::run(build::RunRequest request, std::function<void(std::string_view)> output) {
  StepRoot root{.layers = request.layers, .upper = request.upper, .work = request.work};
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
