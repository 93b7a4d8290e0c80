#include "gantry/engine/engine.h"

#include "container_files.h"
#include "gantry/base/files.h"
#include "impl.h"

namespace gantry::engine {
namespace {

constexpr int kStartsAtOnce = 4;
constexpr int kBurst = 12;

std::string current_boot_id() {
  auto text = read_file("/proc/sys/kernel/random/boot_id");
  return text.substr(0, text.find('\n'));
}

}  // namespace

Engine::Impl::Impl(Parts& with, std::filesystem::path directory)
    : parts(with),
      data_dir(std::move(directory)),
      boot_id(current_boot_id()),
      capabilities{runtime::default_capabilities(), runtime::all_capabilities()},
      events(std::make_shared<EventLog>(parts.executor, parts.database)),
      records(parts.database, *events),
      execs(parts.executor),
      background(parts.executor),
      operations(parts.executor),
      warm(parts.executor, parts.pool, parts.runtime, parts.networks,
           {.free_slot = [this] { return free_id_slot(); },
            .make_directories = [this] { return make_container_directories(standby_dir()); }}),
      starts(parts.executor, kBurst),
      restarts(parts.executor, kStartsAtOnce) {
  make_directories(data_dir / "containers", 0711);
}

task<> Engine::Impl::close() {
  closing = true;
  for (const auto& [id, container] : containers) wake(*container);
  events->close();
  co_await background.close();
  co_await operations.close();
  co_await warm.close();
  for (const auto& [id, container] : containers) end_attaching(*container);
}

Engine::Engine(Parts parts, std::filesystem::path data_dir, std::filesystem::path)
    : parts_(std::move(parts)), impl_(std::make_unique<Impl>(parts_, std::move(data_dir))) {}
Engine::~Engine() = default;

task<> Engine::recover() { return impl_->recover(); }
task<> Engine::close() { return impl_->close(); }

task<ContainerId> Engine::create(ContainerSpec spec) { return impl_->operations.run(impl_->create(std::move(spec))); }
task<ContainerId> Engine::create_step(ContainerSpec spec, StepRoot root) {
  return impl_->operations.run(impl_->create_step(std::move(spec), std::move(root)));
}
task<Launched> Engine::launch(ContainerSpec spec, bool attach) {
  return impl_->operations.run(impl_->launch(std::move(spec), attach));
}
task<ExitStatus> Engine::wait(const Launched& launched, bool removed) {
  return impl_->wait_launched(launched.container, removed);
}
task<> Engine::start(ContainerId id) { return impl_->operations.run(impl_->start(std::move(id))); }
task<> Engine::stop(ContainerId id, std::optional<Duration> grace) {
  co_await impl_->operations.run(impl_->stop(std::move(id), grace));
  co_await impl_->durable();
}
task<> Engine::kill(ContainerId id, std::string signal) {
  return impl_->operations.run(impl_->kill(std::move(id), std::move(signal)));
}
task<> Engine::restart(ContainerId id, std::optional<Duration> grace) {
  return impl_->operations.run(impl_->restart(std::move(id), grace));
}
task<> Engine::remove(ContainerId id, RemoveOptions options) {
  co_await impl_->operations.run(impl_->remove(std::move(id), options));
  co_await impl_->durable();
}
std::vector<StartStep> Engine::start_trace(const ContainerId& id) const { return impl_->start_trace(*impl_->find(id)); }
std::vector<StartStep> Engine::start_trace(const Launched& launched) const {
  return impl_->start_trace(*launched.container);
}
void Engine::discard(const ContainerId& id) { impl_->discard(id); }
task<ExitStatus> Engine::wait(ContainerId id, WaitCondition condition) { return impl_->wait(std::move(id), condition); }

ContainerId Engine::resolve(std::string_view reference) const { return impl_->find_by_reference(reference)->id(); }
ContainerInfo Engine::inspect(const ContainerId& id) const { return impl_->find(id)->record.info; }
std::vector<ContainerInfo> Engine::list(const ContainerFilter& filter) const {
  std::vector<ContainerInfo> out;
  for (const auto* info : impl_->list(filter)) out.push_back(*info);
  return out;
}
void Engine::for_each(const ContainerFilter& filter, const std::function<void(const ContainerInfo&)>& visit) const {
  for (const auto* info : impl_->list(filter)) visit(*info);
}

task<Stats> Engine::stats(ContainerId id) {
  if (!is_active(impl_->find(id)->state())) co_return Stats{};
  auto usage = co_await parts_.runtime.usage(id);
  co_return Stats{
      .memory = usage.memory, .memory_limit = usage.memory_limit, .cpu_nanos = usage.cpu_nanos, .pids = usage.pids};
}

task<std::unique_ptr<StdioSession>> Engine::attach(ContainerId id) { return impl_->attach(std::move(id)); }
task<> Engine::resize(ContainerId id, TerminalSize size) { return impl_->resize(std::move(id), size); }
task<> Engine::logs(ContainerId id, LogQuery query, std::function<task<>(LogRecord)> sink) {
  return impl_->logs(std::move(id), std::move(query), std::move(sink));
}

task<ExecId> Engine::exec_create(ContainerId id, ExecSpec spec) {
  return impl_->exec_create(std::move(id), std::move(spec));
}
task<std::unique_ptr<StdioSession>> Engine::exec_start(ExecId id) { return impl_->exec_start(std::move(id)); }
task<> Engine::exec_resize(ExecId id, TerminalSize size) { return impl_->exec_resize(std::move(id), size); }
ExecInfo Engine::exec_inspect(const ExecId& id) const { return impl_->execs.get(id)->info; }
task<int> Engine::exec_wait(ExecId id) { return impl_->exec_wait(std::move(id)); }

void Engine::publish(Event event) { impl_->events->publish(std::move(event)); }
task<> Engine::events(std::optional<Timestamp> since, bool follow, std::function<task<>(Event)> sink) {
  return impl_->events->read(since, follow, std::move(sink));
}

}  // namespace gantry::engine
