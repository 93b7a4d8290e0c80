#include "gantry/runtime/runtime.h"

#include <fcntl.h>

#include <sstream>
#include <unordered_map>

#include "cgroup.h"
#include "exec.h"
#include "exit_file.h"
#include "gantry/base/files.h"
#include "gantry/base/json.h"
#include "gantry/base/log.h"
#include "paths.h"
#include "plan_file.h"
#include "session.h"
#include "shim_link.h"
#include "shim_process.h"
#include "spec.h"

namespace gantry::runtime {

namespace fs = std::filesystem;

namespace {

constexpr auto kStepLimit = std::chrono::seconds(60);
constexpr auto kShimEndLimit = std::chrono::seconds(15);

struct Container {
  std::shared_ptr<ShimLink> link;
  fs::path state_dir;
  std::optional<ExitRecord> exit;
};

ExitRecord record_of(const shim::Status& status) {
  return {.status = {.code = status.code, .signaled = status.signaled != 0, .oom_killed = status.oom_killed != 0},
          .time = Timestamp(Duration(status.time))};
}

// The first line of uid_map: inside, host, count. The host's own namespace maps everything onto itself.
std::optional<IdRange> user_namespace_of(pid_t pid) {
  std::istringstream text(read_file("/proc/" + std::to_string(pid) + "/uid_map"));
  std::uint64_t inside = 0, host = 0, size = 0;
  text >> inside >> host >> size;
  if (host == 0) return std::nullopt;
  return IdRange{.host = static_cast<std::uint32_t>(host), .size = static_cast<std::uint32_t>(size)};
}

struct StartedShim {
  Fd listener;
  Fd process;
};

}  // namespace

struct Runtime::Impl {
  Impl(asio::any_io_executor on, WorkerPool& workers, Config given)
      : executor(std::move(on)),
        pool(workers),
        config(std::move(given)),
        paths(config.run_dir),
        cgroups(config.instance, read_file("/proc/self/mounts")) {
    for (const auto& directory : {config.run_dir, paths.containers(), paths.launcher_root()})
      make_directories(directory, 0700);
  }

  std::shared_ptr<Container> find(const ContainerId& id) const {
    auto found = containers.find(id);
    return found == containers.end() ? nullptr : found->second;
  }
  std::shared_ptr<Container> require(const ContainerId& id) const {
    auto container = find(id);
    if (!container) throw Error(ErrorKind::conflict, "container " + short_id(id) + " is not running", "start it first");
    return container;
  }

  void prepare(const Plan& plan) const;
  void prepare_exec(const ContainerId& id, const ExecPlan& plan, const fs::path& directory, pid_t pid) const;
  task<std::shared_ptr<ShimLink>> launch(fs::path directory);
  task<std::shared_ptr<ShimLink>> find_shim(ContainerId id) const;
  task<> end_shim(ContainerId id);
  void clear(const ContainerId& id) const;

  asio::any_io_executor executor;
  WorkerPool& pool;
  Config config;
  Paths paths;
  CgroupTree cgroups;
  std::unordered_map<ContainerId, std::shared_ptr<Container>> containers;
};

void Runtime::Impl::prepare(const Plan& plan) const {
  auto directory = paths.container(plan.id);
  if (fs::exists(directory))
    throw Error(ErrorKind::conflict, "container " + short_id(plan.id) + " already has a shim", "remove it first");
  bool may_raise = may_raise_limits();
  SpecContext context{.cgroups_path = cgroups.path_of(plan.id), .may_raise_limits = may_raise};
  auto spec = make_spec(plan, context);
  auto shim_plan = container_plan(plan, config, cgroups.directories(plan.id), effective_limits(plan, may_raise));
  make_directories(plan.state_dir, 0700);
  make_directories(plan.upper, 0755);
  make_directories(plan.work, 0755);
  make_directories(directory, 0700);
  write_file(directory / "config.json", json::to_text(spec));
  write_file(directory / "plan", shim_plan);
  std::error_code ignored;
  fs::remove(plan.state_dir / "exit.json", ignored);
}

void Runtime::Impl::prepare_exec(const ContainerId& id, const ExecPlan& plan, const fs::path& directory,
                                 pid_t pid) const {
  auto user_namespace = user_namespace_of(pid);
  auto text = exec_plan(id, plan, config, user_namespace);
  make_directories(directory, 0700);
  write_file(directory / "process.json", json::to_text(make_exec_process(plan, user_namespace.has_value())));
  write_file(directory / "plan", text);
}

// The connection is made before the shim runs, so that not even an immediate failure of it is missed.
task<std::shared_ptr<ShimLink>> Runtime::Impl::launch(fs::path directory) {
  Fd listener = listen_in(directory);
  auto link = std::make_shared<ShimLink>(executor, directory);
  auto start = [this, directory, &listener] { return start_shim(config.shim, directory, listener); };
  Fd process = co_await pool.run(start);
  link->begin(std::move(process));
  co_return link;
}

Runtime::Runtime(asio::any_io_executor executor, WorkerPool& pool, Config config)
    : impl_(std::make_unique<Impl>(std::move(executor), pool, std::move(config))) {}

Runtime::~Runtime() {
  for (auto& [id, container] : impl_->containers)
    if (container->link) container->link->close();
}

task<Created> Runtime::create(Plan plan) {
  ContainerId id = plan.id;
  if (impl_->find(id)) throw Error(ErrorKind::conflict, "container " + short_id(id) + " exists already");
  std::exception_ptr failure;
  Created created;
  auto prepare = [this, &plan] { impl_->prepare(plan); };
  co_await impl_->pool.run(prepare);
  try {
    auto container = std::make_shared<Container>();
    container->state_dir = plan.state_dir;
    container->link = co_await impl_->launch(impl_->paths.container(id));
    impl_->containers[id] = container;
    co_await with_timeout("create container " + short_id(id), kStepLimit,
                          container->link->require(shim::State::created));
    created.pid = container->link->status().pid;
    created.netns = open_file("/proc/" + std::to_string(created.pid) + "/ns/net", O_RDONLY);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    co_await remove(id);
    std::rethrow_exception(failure);
  }
  co_return created;
}

task<> Runtime::start(ContainerId id) {
  auto container = impl_->require(id);
  container->link->tell(shim::Message::start);
  co_await with_timeout("start container " + short_id(id), kStepLimit, container->link->require(shim::State::running));
}

task<std::shared_ptr<ShimLink>> Runtime::Impl::find_shim(ContainerId id) const {
  std::shared_ptr<ShimLink> link;
  try {
    link = std::make_shared<ShimLink>(executor, paths.container(id));
  } catch (const Error&) {
    co_return nullptr;  // nothing listens there
  }
  link->begin(Fd());
  co_return link;
}

task<Adopted> Runtime::adopt(ContainerId id, fs::path state_dir) {
  Adopted adopted;
  auto container = std::make_shared<Container>();
  container->state_dir = state_dir;
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
      write_exit_file(state_dir, record);
      return record;
    };
    container->exit = co_await impl_->pool.run(settle);
  }
  co_return *container->exit;
}

task<> Runtime::signal(ContainerId id, int number) {
  auto container = impl_->require(id);
  std::int32_t value = number;
  container->link->tell(shim::Message::signal, std::string(reinterpret_cast<const char*>(&value), sizeof value));
  co_return;
}

task<> Runtime::kill_all(ContainerId id) {
  auto kill = [impl = impl_.get(), id] { impl->cgroups.kill(id); };
  co_await impl_->pool.run(kill);
}

// The shim ends by itself when its container has; one that does not is killed, and the kernel releases what it held.
task<> Runtime::Impl::end_shim(ContainerId id) {
  auto container = find(id);
  std::shared_ptr<ShimLink> link;
  if (container) link = container->link;
  if (!link) link = co_await find_shim(id);
  if (!link || link->gone()) co_return;
  bool timed_out = false;
  try {
    co_await with_timeout("end of shim", kShimEndLimit, link->until_gone());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::timeout) throw;
    timed_out = true;
  }
  if (timed_out) link->kill();
  link->close();
}

void Runtime::Impl::clear(const ContainerId& id) const {
  auto directory = paths.container(id);
  std::error_code ignored;
  kill_shim(directory);
  for (const auto& exec : fs::directory_iterator(paths.execs(id), ignored)) kill_shim(exec.path());
  cgroups.remove(id);
  remove_tree(paths.launcher_state(id));
  remove_tree(directory);
}

task<> Runtime::remove(ContainerId id) {
  auto kill = [impl = impl_.get(), id] { impl->cgroups.kill(id); };
  co_await impl_->pool.run(kill);
  co_await impl_->end_shim(id);
  auto clear = [impl = impl_.get(), id] { impl->clear(id); };
  co_await impl_->pool.run(clear);
  impl_->containers.erase(id);
}

task<std::unique_ptr<StdioSession>> Runtime::attach(ContainerId id) {
  impl_->require(id);
  co_return co_await open_session(impl_->paths.container(id));
}

task<> Runtime::resize(ContainerId id, std::uint16_t rows, std::uint16_t columns) {
  auto container = impl_->require(id);
  shim::Window window{.rows = rows, .columns = columns};
  container->link->tell(shim::Message::resize, to_payload(window));
  co_return;
}

task<std::unique_ptr<ExecProcess>> Runtime::exec(ContainerId id, ExecPlan plan) {
  auto container = impl_->require(id);
  if (!container->link || !container->link->reached(shim::State::running) ||
      container->link->reached(shim::State::exited))
    throw Error(ErrorKind::conflict, "exec in container " + short_id(id) + ": it is not running", "start it first");
  auto directory = impl_->paths.execs(id) / random_hex(12);
  auto prepare = [impl = impl_.get(), id, &plan, directory, pid = container->link->status().pid] {
    impl->prepare_exec(id, plan, directory, pid);
  };
  co_await impl_->pool.run(prepare);
  std::exception_ptr failure;
  std::unique_ptr<ExecProcess> process;
  std::shared_ptr<ShimLink> link;
  try {
    link = co_await impl_->launch(directory);
    auto session = co_await open_session(directory);
    co_await link->require(shim::State::created);
    link->tell(shim::Message::start);
    co_await with_timeout("exec in container " + short_id(id), kStepLimit, link->require(shim::State::running));
    process = make_exec_process(link, std::move(session), directory);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    if (link) link->close();
    auto clear = [directory] {
      kill_shim(directory);
      remove_tree(directory);
    };
    co_await impl_->pool.run(clear);
    std::rethrow_exception(failure);
  }
  co_return process;
}

task<Usage> Runtime::usage(ContainerId id) {
  auto read = [impl = impl_.get(), id] { return impl->cgroups.usage(id); };
  co_return co_await impl_->pool.run(read);
}

std::vector<ContainerId> Runtime::leftovers() const {
  std::set<ContainerId> out;
  for (const auto& id : impl_->cgroups.containers()) out.insert(id);
  std::error_code ignored;
  for (const auto& parent : {impl_->paths.containers(), impl_->paths.launcher_root()})
    for (const auto& entry : fs::directory_iterator(parent, ignored)) out.insert(ContainerId(entry.path().filename()));
  return {out.begin(), out.end()};
}

void Runtime::cleanup_instance() noexcept {
  impl_->cgroups.remove_instance();
  std::error_code ignored;
  for (const auto& directory : {impl_->paths.containers(), impl_->paths.launcher_root()})
    fs::remove(directory, ignored);
}

}  // namespace gantry::runtime
