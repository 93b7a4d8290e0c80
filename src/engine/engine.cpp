#include "gantry/engine/engine.h"

#include <algorithm>
#include <thread>

#include "container_files.h"
#include "gantry/base/files.h"
#include "id_range.h"
#include "impl.h"
#include "logging/log_driver.h"

namespace gantry::engine {
namespace {

constexpr int kStartsAtOnce = 4;

// More would only wait for each other, and make others wait.
int burst() { return 2 * std::max(2, static_cast<int>(std::thread::hardware_concurrency())); }

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
      creations(parts.executor, 1),
      starts(parts.executor, burst()),
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
task<> Engine::stop(ContainerId id, std::optional<Duration> grace, std::string signal) {
  co_await impl_->operations.run(impl_->stop(std::move(id), grace, std::move(signal)));
  co_await impl_->durable();
}
task<> Engine::kill(ContainerId id, std::string signal) {
  return impl_->operations.run(impl_->kill(std::move(id), std::move(signal)));
}
task<> Engine::pause(ContainerId id) { return impl_->operations.run(impl_->pause(std::move(id))); }
task<> Engine::unpause(ContainerId id) { return impl_->operations.run(impl_->unpause(std::move(id))); }
task<> Engine::rename(ContainerId id, std::string name) {
  co_await impl_->operations.run(impl_->rename(std::move(id), std::move(name)));
  co_await impl_->durable();
}
task<> Engine::restart(ContainerId id, std::optional<Duration> grace, std::string signal) {
  return impl_->operations.run(impl_->restart(std::move(id), grace, std::move(signal)));
}
task<> Engine::remove(ContainerId id, RemoveOptions options) {
  co_await impl_->operations.run(impl_->remove(std::move(id), options));
  co_await impl_->durable();
}
task<> Engine::connect(ContainerId id, NetworkAttachment attachment) {
  co_await impl_->operations.run(impl_->connect(std::move(id), std::move(attachment)));
  co_await impl_->durable();
}
task<> Engine::disconnect(ContainerId id, std::string network) {
  co_await impl_->operations.run(impl_->disconnect(std::move(id), std::move(network)));
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
ContainerDetails Engine::details(const ContainerId& id) const { return impl_->details(*impl_->find(id)); }
std::vector<ContainerInfo> Engine::list(const ContainerFilter& filter) const {
  std::vector<ContainerInfo> out;
  for (const auto* info : impl_->list(filter)) out.push_back(*info);
  return out;
}
std::vector<std::string> Engine::layers_in_use(bool running) const { return impl_->layers_in_use(running); }
void Engine::for_each(const ContainerFilter& filter, const std::function<void(const ContainerInfo&)>& visit) const {
  for (const auto* info : impl_->list(filter)) visit(*info);
}

task<Stats> Engine::stats(ContainerId id) { return impl_->stats(std::move(id)); }
task<std::vector<ProcessInfo>> Engine::processes(ContainerId id) { return impl_->processes(std::move(id)); }
task<> Engine::unlink(ContainerId id, std::string alias) {
  co_await impl_->operations.run(impl_->unlink(std::move(id), std::move(alias)));
  co_await impl_->durable();
}
task<> Engine::update(ContainerId id, ContainerUpdate change) {
  co_await impl_->operations.run(impl_->update(std::move(id), std::move(change)));
  co_await impl_->durable();
}

task<std::unique_ptr<StdioSession>> Engine::attach(ContainerId id) { return impl_->attach(std::move(id)); }
task<> Engine::resize(ContainerId id, TerminalSize size) { return impl_->resize(std::move(id), size); }
void Engine::require_logs(const ContainerId& id) const { require_readable(impl_->find(id)->record.info.spec.log); }
task<> Engine::logs(ContainerId id, LogQuery query, std::function<task<>(LogRecord)> sink) {
  return impl_->logs(std::move(id), std::move(query), std::move(sink));
}

task<image::PathStat> Engine::archive_stat(ContainerId id, std::string path) {
  return impl_->operations.run(impl_->archive_stat(std::move(id), std::move(path)));
}
task<> Engine::archive_get(ContainerId id, std::string path, ArchiveHead head, ArchiveSink sink) {
  return impl_->archive_get(std::move(id), std::move(path), std::move(head), std::move(sink));
}
task<> Engine::archive_put(ContainerId id, std::string path, std::shared_ptr<Fd> tar, ArchivePut options) {
  return impl_->operations.run(impl_->archive_put(std::move(id), std::move(path), std::move(tar), options));
}
task<> Engine::export_tree(ContainerId id, ArchiveSink sink) {
  return impl_->export_tree(std::move(id), std::move(sink));
}

task<std::vector<Change>> Engine::changes(ContainerId id) { return impl_->changes(std::move(id)); }
task<image::ImageInfo> Engine::commit(ContainerId id, CommitOptions options) {
  return impl_->operations.run(impl_->commit_image(std::move(id), std::move(options)));
}

task<ExecId> Engine::exec_create(ContainerId id, ExecSpec spec) {
  return impl_->exec_create(std::move(id), std::move(spec));
}
task<std::unique_ptr<StdioSession>> Engine::exec_start(ExecId id) { return impl_->exec_start(std::move(id)); }
task<> Engine::exec_resize(ExecId id, TerminalSize size) { return impl_->exec_resize(std::move(id), size); }
ExecInfo Engine::exec_inspect(const ExecId& id) const { return impl_->execs.get(id)->info; }
task<int> Engine::exec_wait(ExecId id) { return impl_->exec_wait(std::move(id)); }

Event Engine::container_event(const ContainerId& id, std::string action) const {
  return impl_->event(*impl_->find(id), std::move(action));
}
std::vector<ContainerInfo> Engine::containers_of_user(std::uint32_t host_id) const {
  std::vector<ContainerInfo> out;
  if (host_id < kFirstHostId) return out;
  std::int64_t slot = (host_id - kFirstHostId) / kIdsOfRange;
  for (const auto& [id, container] : impl_->containers) {
    // Its program may ask something before we have heard that it was executed.
    bool runs = container->run || container->state() == State::starting;
    if (runs && container->record.internals.id_slot == slot) out.push_back(container->record.info);
  }
  return out;
}

void Engine::publish(Event event) { impl_->events->publish(std::move(event)); }
task<> Engine::events(std::optional<Timestamp> since, bool follow, std::function<task<>(Event)> sink) {
  return impl_->events->read(since, follow, std::move(sink));
}

}  // namespace gantry::engine
