#include "gantry/platform/stack_manager.h"

#include <fmt/format.h>

#include <map>

#include "change_watch.h"
#include "gantry/base/log.h"
#include "reconciler.h"
#include "release_store.h"
#include "translate.h"

namespace gantry::platform {

struct StackManager::Impl {
  Impl(asio::any_io_executor on, store::Database& database, engine::Engine& of)
      : executor(on), engine(of), releases(database), watch(on, of), scope(on) {}

  // Two operations on one stack wait for each other; the map only grows by the number of stack names ever used.
  AsyncMutex& turn(const std::string& stack) {
    auto& mutex = turns[stack];
    if (!mutex) mutex = std::make_unique<AsyncMutex>(executor);
    return *mutex;
  }

  task<> finish(StackRow row);
  task<> take_down(std::string name, DownOptions options, StepSink sink);
  StackInfo info(const StackRow& row) const;
  void announce(const std::string& stack, const char* action, std::int64_t release);

  asio::any_io_executor executor;
  engine::Engine& engine;
  ReleaseStore releases;
  ChangeWatch watch;
  Scope scope;
  std::map<std::string, std::unique_ptr<AsyncMutex>> turns;
};

StackManager::StackManager(asio::any_io_executor executor, store::Database& database, engine::Engine& engine)
    : impl_(std::make_unique<Impl>(executor, database, engine)) {}

StackManager::~StackManager() = default;

task<> StackManager::recover() {
  impl_->scope.spawn("stacks: watch the engine", impl_->watch.run());
  // In the background: a stack that waits for a health check must not keep the API from answering.
  for (auto& row : impl_->releases.list()) impl_->scope.spawn("stack " + row.name, impl_->finish(std::move(row)));
  co_return;
}

task<> StackManager::close() { co_await impl_->scope.close(); }

task<> StackManager::Impl::finish(StackRow row) {
  auto guard = co_await turn(row.name).lock();
  StepSink silent = [name = row.name](const Step& step) {
    log::info("stack {}: {} {} {} {}", name, step.kind, step.name, step.status, step.detail);
  };
  if (!row.wanted_up) {
    log::info("stack {}: finishing an interrupted 'down'", row.name);
    co_await take_down(row.name, row.down, silent);
    co_return;
  }
  auto document = releases.document(row.release);
  if (!document)
    throw Error(ErrorKind::internal, fmt::format("release {} of stack {} is missing", row.release, row.name));
  Reconciler reconciler(engine, watch, std::move(*document), row.release, {}, silent);
  if (row.applied == row.release) {
    co_await reconciler.resume();
    co_return;
  }
  log::info("stack {}: finishing an interrupted 'up'", row.name);
  co_await reconciler.bring_up();
  releases.record_applied(row.name, row.release);
}

task<StackInfo> StackManager::up(compose::Stack stack, UpOptions options, StepSink sink) {
  compose::validate(stack);
  require_supported(stack);
  auto name = stack.name;
  auto guard = co_await impl_->turn(name).lock();
  auto row = impl_->releases.record_up(stack);
  Reconciler reconciler(impl_->engine, impl_->watch, std::move(stack), row.release, std::move(options),
                        std::move(sink));
  try {
    co_await reconciler.bring_up();
  } catch (const Error& error) {
    // The answer has been given: what failed is the user's to mend, and is not tried again by itself at the next start.
    if (error.kind() != ErrorKind::cancelled) impl_->releases.record_applied(name, row.release);
    throw;
  }
  impl_->releases.record_applied(name, row.release);
  impl_->announce(name, "up", row.release);
  co_return inspect(name);
}

task<> StackManager::down(std::string name, DownOptions options, StepSink sink) {
  auto guard = co_await impl_->turn(name).lock();
  bool known = impl_->releases.find(name).has_value() ||
               !impl_->engine.list({.all = true, .labels = {{engine::kStackLabel, name}}}).empty();
  if (!known) throw Error(ErrorKind::not_found, "no stack " + name, "see 'gantry stack ls'");
  impl_->releases.record_down(name, options);
  co_await impl_->take_down(name, std::move(options), std::move(sink));
}

task<> StackManager::Impl::take_down(std::string name, DownOptions options, StepSink sink) {
  std::vector<std::vector<std::string>> levels;
  std::vector<std::string> volumes;
  auto row = releases.find(name);
  if (auto document = row ? releases.document(row->release) : std::nullopt) {
    levels = compose::start_levels(*document);
    for (const auto& [key, volume] : document->volumes)
      if (options.volumes && !volume.external) volumes.push_back(volume.name);
  }
  co_await bring_down(engine, name, std::move(levels), std::move(volumes), options, std::move(sink));
  releases.forget(name);
  announce(name, "down", row ? row->release : 0);
}

void StackManager::Impl::announce(const std::string& stack, const char* action, std::int64_t release) {
  engine.publish({.time = now(),
                  .type = "stack",
                  .action = action,
                  .id = stack,
                  .name = stack,
                  .attributes = {{"release", std::to_string(release)}}});
}

StackInfo StackManager::Impl::info(const StackRow& row) const {
  StackInfo out{.name = row.name, .release = row.release, .updated = row.updated};
  std::map<std::string, int> services;
  for (const auto& container : engine.list({.all = true, .labels = {{engine::kStackLabel, row.name}}})) {
    ++out.containers;
    if (container.state == engine::State::running) ++out.running;
    ++services[container.spec.labels.at(engine::kServiceLabel)];
  }
  out.services = static_cast<int>(services.size());
  out.status = out.running == 0 ? "stopped" : out.running == out.containers ? "running" : "partial";
  return out;
}

std::vector<StackInfo> StackManager::list() const {
  std::vector<StackInfo> out;
  for (const auto& row : impl_->releases.list()) out.push_back(impl_->info(row));
  return out;
}

StackInfo StackManager::inspect(const std::string& name) const {
  auto row = impl_->releases.find(name);
  if (!row) throw Error(ErrorKind::not_found, "no stack " + name, "see 'gantry stack ls'");
  return impl_->info(*row);
}

}  // namespace gantry::platform
