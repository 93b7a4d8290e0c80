#include "gantry/runtime/runtime.h"

#include <fcntl.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "command_check.h"
#include "devices.h"
#include "exit_file.h"
#include "gantry/base/log.h"
#include "runtime_impl.h"
#include "session.h"
#include "spec.h"
#include "usage.h"

namespace gantry::runtime {

namespace fs = std::filesystem;

namespace {

ExitRecord record_of(const shim::Status& status) {
  return {.status = {.code = status.code, .signaled = status.signaled != 0, .oom_killed = status.oom_killed != 0},
          .time = Timestamp(Duration(status.time))};
}

}  // namespace

Runtime::Runtime(asio::any_io_executor executor, WorkerPool& pool, Config config)
    : impl_(std::make_unique<Impl>(std::move(executor), pool, std::move(config))) {}

Runtime::~Runtime() {
  impl_->execs->close();
  for (auto& [id, container] : impl_->containers)
    if (container->link) container->link->close();
}

bool Runtime::launches_natively() const { return impl_->config.native_obstacle.empty(); }

task<std::shared_ptr<Standby>> Runtime::make_standby(IdRange ids) {
  auto start = [impl = impl_.get(), ids] {
    Plan plan;
    plan.user_namespace = ids;
    plan.argv = {"/"};
    return impl->start_standby(make_spec(plan, {.seccomp_by_name = false}));
  };
  co_return co_await impl_->pool.run(start);
}

task<Created> Runtime::create(Plan plan) {
  ContainerId id = plan.id;
  std::function<Plan()> make = [plan = std::move(plan)] { return plan; };
  auto launched = co_await launch(std::move(id), std::move(make));
  co_return co_await created(std::move(launched));
}

task<Launched> Runtime::launch(ContainerId id, std::function<Plan()> make) {
  impl_->require_free(id);
  std::exception_ptr failure;
  Launched launched;
  auto prepare = [impl = impl_.get(), make = std::move(make)] {
    auto wanted = make();
    add_devices(&wanted);
    auto obstacle = impl->config.native_obstacle;
    if (obstacle.empty() && !wanted.apparmor.empty()) obstacle = "an AppArmor profile is applied by crun";
    if (obstacle.empty() && !wanted.hooks.empty()) obstacle = "the hooks of its devices are run by crun";
    bool hand_over = wanted.launcher == Launcher::native && !obstacle.empty();
    if (hand_over) wanted.launcher = Launcher::crun;
    auto plan = std::make_shared<const Plan>(std::move(wanted));
    auto standby = impl->prepare(*plan);
    auto link = impl->launch(impl->paths.container(plan->id), *standby);
    return std::pair(Launched{plan->id, plan, hand_over ? obstacle : std::string()}, link);
  };
  try {
    auto prepared = co_await impl_->pool.run(std::move(prepare));
    launched = std::move(prepared.first);
    auto container = std::make_shared<Container>();
    container->state_dir = launched.plan->state_dir;
    container->launcher = launched.plan->launcher;
    container->link = std::move(prepared.second);
    impl_->containers[id] = container;
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    co_await remove(id);
    std::rethrow_exception(failure);
  }
  co_return launched;
}

task<Created> Runtime::created(Launched launched) {
  std::exception_ptr failure;
  Created created{.launcher = launched.plan->launcher, .handed_over = launched.handed_over};
  try {
    auto link = impl_->require_link_or_failure(launched.id);
    co_await with_timeout("create container " + short_id(launched.id), kStepLimit, link->require(shim::State::created));
    created.pid = link->status().pid;
    if (launched.plan->init) {
      auto check = [pid = created.pid, plan = launched.plan] { require_command(pid, *plan); };
      co_await impl_->pool.run(check);
    }
    created.netns = open_file("/proc/" + std::to_string(created.pid) + "/ns/net", O_RDONLY);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    co_await remove(launched.id);
    std::rethrow_exception(failure);
  }
  co_return created;
}

task<pid_t> Runtime::start(ContainerId id) {
  auto link = impl_->require(id)->link;
  if (!link) throw Impl::not_running(id);
  try {
    link->tell(shim::Message::start);
  } catch (const Error&) {
    // It has ended; its last words, which say why, are still to be read.
  }
  co_await with_timeout("start container " + short_id(id), kStepLimit, link->require(shim::State::running));
  co_return link->status().pid;
}

std::vector<Mark> Runtime::trace(const ContainerId& id) const {
  std::vector<Mark> out;
  auto container = impl_->find(id);
  if (!container || !container->link) return out;
  std::istringstream lines(container->link->trace());
  for (std::string name, time; std::getline(lines, name, '\t') && std::getline(lines, time);)
    out.push_back({name, std::chrono::nanoseconds(std::stoll(time))});
  std::ranges::sort(out, {}, &Mark::time);
  return out;
}

task<Adopted> Runtime::adopt(ContainerId id, fs::path state_dir) {
  Adopted adopted;
  auto container = std::make_shared<Container>();
  container->state_dir = state_dir;
  // Only crun keeps a state of its own.
  container->launcher = fs::exists(impl_->paths.launcher_state(id)) ? Launcher::crun : Launcher::native;
  if (auto group = read_file_if_exists(impl_->paths.container(id) / "group")) impl_->cgroups.bind(id, *group);
  container->link = co_await impl_->find_shim(id);
  if (container->link) {
    try {
      co_await with_timeout("adopt container " + short_id(id), kStepLimit,
                            container->link->until(shim::State::created));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::timeout) throw;
      log::warn("{}", error.message());
    }
    if (container->link->reached(shim::State::exited)) co_await container->link->until_gone();
  }
  if (container->link && !container->link->gone() && container->link->reached(shim::State::created)) {
    bool running = container->link->reached(shim::State::running);
    adopted.what = running ? Adopted::What::running : Adopted::What::created;
    adopted.pid = container->link->status().pid;
    adopted.launcher = container->launcher;
  } else {
    auto read = [state_dir] { return read_exit_file(state_dir); };
    adopted.exit = container->exit = co_await impl_->pool.run(read);
    adopted.what = adopted.exit ? Adopted::What::exited : Adopted::What::gone;
  }
  if (adopted.what != Adopted::What::gone) impl_->containers[id] = container;
  co_return adopted;
}

task<ExitRecord> Runtime::wait(ContainerId id) {
  auto container = impl_->require(id);
  if (container->exit) co_return *container->exit;
  co_await container->link->until(shim::State::exited);
  if (container->link->reached(shim::State::exited)) {
    container->exit = record_of(container->link->status());
  } else {
    // Killed. It may have recorded the end before; if not, what it held is killed now, and that is the end.
    auto settle = [impl = impl_.get(), id, state_dir = container->state_dir] {
      impl->cgroups.kill(id);
      if (auto record = read_exit_file(state_dir)) return *record;
      ExitRecord record{.status = {.code = 137, .signaled = true}, .time = now()};
      keep_exit_file(state_dir, record);
      return record;
    };
    container->exit = co_await impl_->pool.run(settle);
  }
  co_return *container->exit;
}

task<> Runtime::signal(ContainerId id, int number) {
  auto link = impl_->require_link(id);
  std::int32_t value = number;
  link->tell(shim::Message::signal, std::string(reinterpret_cast<const char*>(&value), sizeof value));
  co_return;
}

task<> Runtime::freeze(ContainerId id) {
  impl_->require_link(id);
  auto freeze = [impl = impl_.get(), id] { impl->cgroups.freeze(id); };
  co_await impl_->pool.run(freeze);
}

task<> Runtime::thaw(ContainerId id) {
  auto thaw = [impl = impl_.get(), id] { impl->cgroups.thaw(id); };
  co_await impl_->pool.run(thaw);
}

task<> Runtime::kill_all(ContainerId id) {
  auto kill = [impl = impl_.get(), id] { impl->cgroups.kill(id); };
  co_await impl_->pool.run(kill);
}

task<> Runtime::remove(ContainerId id) {
  auto container = impl_->find(id);
  bool over = container && container->link && container->link->reached(shim::State::exited);
  // The shim of a program that has ended takes the group away by itself; `clear` makes sure.
  auto kill = [impl = impl_.get(), id] { impl->cgroups.kill(id); };
  if (!over) co_await impl_->pool.run(kill);
  co_await impl_->end_shim(id);
  auto clear = [impl = impl_.get(), id] { impl->clear(id); };
  co_await impl_->pool.run(clear);
  impl_->containers.erase(id);
}

task<std::unique_ptr<StdioSession>> Runtime::attach(ContainerId id) {
  auto link = impl_->require_link_or_failure(id);
  std::exception_ptr failure;
  try {
    co_return co_await with_timeout("attach to container " + short_id(id), kStepLimit,
                                    open_session(impl_->paths.container(id)));
  } catch (...) {
    failure = std::current_exception();
  }
  // Of a container that is still being made the shim says why.
  co_await with_timeout("create container " + short_id(id), kStepLimit, link->require(shim::State::created));
  if (link->gone()) throw Error(ErrorKind::unavailable, "attach: the container's shim has gone");
  std::rethrow_exception(failure);
}

task<> Runtime::resize(ContainerId id, std::uint16_t rows, std::uint16_t columns) {
  auto link = impl_->require_link(id);
  shim::Window window{.rows = rows, .columns = columns};
  link->tell(shim::Message::resize, to_payload(window));
  co_return;
}

task<Usage> Runtime::usage(ContainerId id, bool networks) {
  pid_t pid = networks ? impl_->require_link(id)->status().pid : 0;
  auto read = [impl = impl_.get(), id, pid] {
    auto usage = impl->cgroups.usage(id);
    if (pid > 0) usage.networks = network_usage(pid);
    return usage;
  };
  co_return co_await impl_->pool.run(read);
}

task<std::vector<ProcessInfo>> Runtime::processes(ContainerId id) {
  impl_->require_link(id);
  auto read = [impl = impl_.get(), id] { return describe_processes(impl->cgroups.processes(id)); };
  co_return co_await impl_->pool.run(read);
}

task<> Runtime::update(ContainerId id, Plan plan) {
  impl_->require_link(id);
  auto write = [impl = impl_.get(), id, plan = std::move(plan)] {
    auto spec = make_spec(plan, {});
    impl->cgroups.update(id, spec.linux_.resources);
  };
  co_await impl_->pool.run(std::move(write));
}

std::vector<ContainerId> Runtime::leftovers() const {
  std::set<ContainerId> out;
  for (const auto& group : impl_->cgroups.groups()) {
    auto name = group.substr(group.find('/') + 1);
    if (name.starts_with(kStandbyPrefix)) continue;
    if (name != group) impl_->cgroups.bind(ContainerId(name), group);
    out.insert(ContainerId(name));
  }
  std::error_code ignored;
  for (const auto& parent : {impl_->paths.containers(), impl_->paths.launcher_root()})
    for (const auto& entry : fs::directory_iterator(parent, ignored)) out.insert(ContainerId(entry.path().filename()));
  return {out.begin(), out.end()};
}

task<> Runtime::sweep() {
  auto sweep = [impl = impl_.get()] {
    for (const auto& group : impl->cgroups.groups())
      if (group.substr(group.find('/') + 1).starts_with(kStandbyPrefix) && !impl->cgroups.is_bound(group))
        impl->cgroups.remove_group(group);
  };
  co_await impl_->pool.run(sweep);
}

void Runtime::cleanup_instance() noexcept {
  impl_->cgroups.remove_instance();
  std::error_code ignored;
  fs::remove_all(impl_->paths.filters(), ignored);
  for (const auto& directory : {impl_->paths.containers(), impl_->paths.launcher_root()})
    fs::remove(directory, ignored);
}

}  // namespace gantry::runtime
