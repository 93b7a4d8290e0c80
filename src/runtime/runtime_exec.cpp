#include <sstream>

#include "exec.h"
#include "gantry/base/json.h"
#include "native_plan.h"
#include "plan_file.h"
#include "runtime_impl.h"
#include "session.h"
#include "shim_process.h"
#include "spec.h"

namespace gantry::runtime {

namespace fs = std::filesystem;

namespace {

// The first line of uid_map: inside, host, count. The host's own namespace maps everything onto itself.
std::optional<IdRange> user_namespace_of(pid_t pid) {
  std::istringstream text(read_file("/proc/" + std::to_string(pid) + "/uid_map"));
  std::uint64_t inside = 0, host = 0, size = 0;
  text >> inside >> host >> size;
  if (host == 0) return std::nullopt;
  return IdRange{.host = static_cast<std::uint32_t>(host), .size = static_cast<std::uint32_t>(size)};
}

}  // namespace

void Runtime::Impl::prepare_exec(const ContainerId& id, const ExecPlan& plan, const fs::path& directory, pid_t pid,
                                 Launcher launcher) const {
  auto user_namespace = user_namespace_of(pid);
  bool native = launcher == Launcher::native;
  // Made by an older Gantry, a container of crun's has none.
  bool has_base = native || fs::exists(paths.container(id) / "base");
  auto words = exec_plan(id, plan, config, user_namespace, native ? std::optional(pid) : std::nullopt, has_base);
  auto process = make_exec_process(plan, user_namespace.has_value());
  make_directories(directory, 0700);
  if (native) {
    add_native_process(words, process);
  } else {
    write_file(directory / "process.json", json::to_text(process));
  }
  write_file(directory / "plan", words.take());
}

task<std::unique_ptr<ExecProcess>> Runtime::exec(ContainerId id, ExecPlan plan) {
  std::function<ExecPlan()> make = [plan = std::move(plan)] { return plan; };
  co_return co_await exec(std::move(id), std::move(make));
}

task<std::unique_ptr<ExecProcess>> Runtime::exec(ContainerId id, std::function<ExecPlan()> make) {
  auto container = impl_->require(id);
  if (!container->link || !container->link->reached(shim::State::running) ||
      container->link->reached(shim::State::exited))
    throw Error(ErrorKind::conflict, "exec in container " + short_id(id) + ": it is not running", "start it first");
  auto directory = impl_->paths.execs(id) / random_hex(12);
  struct Begun {
    std::shared_ptr<ShimLink> link;
    std::unique_ptr<StdioSession> session;
  };
  auto begun = std::make_shared<Begun>();
  auto begin = [impl = impl_.get(), id, make = std::move(make), directory, container, begun,
                standby = impl_->execs->take()]() mutable {
    impl->prepare_exec(id, make(), directory, container->link->status().pid, container->launcher);
    if (!standby) standby = start_plain_standby(*impl->shims);
    begun->link = impl->launch(directory, *standby);
    begun->session = connect_session(impl->executor, directory);
  };
  std::exception_ptr failure;
  std::unique_ptr<ExecProcess> process;
  try {
    co_await impl_->pool.run(std::move(begin));
    // Nothing is waited for before: the shim takes in first who is connected.
    begun->link->tell(shim::Message::start);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure && begun->link) begun->link->kill();
  try {
    // What the shim has failed with says more than that it has gone.
    if (begun->link)
      co_await with_timeout("exec in container " + short_id(id), kStepLimit,
                            begun->link->require(shim::State::running));
    if (!failure) process = make_exec_process(begun->link, std::move(begun->session), directory);
  } catch (...) {
    failure = std::current_exception();
  }
  impl_->execs->refill();
  if (failure) {
    if (begun->link) begun->link->close();
    auto clear = [directory] {
      kill_shim(directory);
      remove_tree(directory);
    };
    co_await impl_->pool.run(clear);
    std::rethrow_exception(failure);
  }
  co_return process;
}

}  // namespace gantry::runtime
