#include <fmt/format.h>
#include <fmt/ranges.h>

#include "files/changes.h"
#include "gantry/base/json.h"
#include "gantry/build/changes.h"
#include "impl.h"

namespace gantry::engine {
namespace {

void append(std::vector<std::string>& to, const std::string& port) {
  if (std::ranges::find(to, port) == to.end()) to.push_back(port);
}

// As it was asked for: what the container runs with becomes the image's defaults.
void apply_container(const Record& record, oci::RunConfig* config) {
  const auto& spec = record.info.spec;
  const auto& resolved = record.internals.resolved;
  config->Env = resolved.environment;
  config->User = resolved.user;
  config->WorkingDir = resolved.working_dir;
  if (spec.entrypoint) {
    config->Entrypoint = spec.entrypoint;
    config->Cmd = std::nullopt;
  }
  if (spec.command) config->Cmd = spec.command;
  for (const auto& [key, value] : spec.labels) config->Labels[key] = value;
  std::vector<std::string> ports = spec.exposed_ports;
  for (const auto& port : spec.ports)
    append(ports, fmt::format("{}/{}", port.container_port, json::name_of(port.protocol)));
  for (auto& port : ports) config->ExposedPorts[port.find('/') == std::string::npos ? port + "/tcp" : port];
  if (spec.stop_signal) config->StopSignal = spec.stop_signal;
}

}  // namespace

task<std::vector<Change>> Engine::Impl::changes(ContainerId id) {
  auto container = find(id);
  auto look = [this, record = container->record] {
    return find_changes(layer_paths(record), upper_of(record, paths_of(record.info.id))).list;
  };
  co_return co_await parts.pool.run(std::move(look));
}

image::ImageInfo Engine::Impl::make_image(const Record& record, const CommitOptions& options) const {
  auto base = record.info.image_id.empty() ? oci::ImageConfig{} : parts.images.resolve(record.info.image_id).config;
  auto config = base;
  if (options.config) {
    config.config = *options.config;
  } else {
    apply_container(record, &config.config);
  }
  config = build::apply_changes(std::move(config), options.changes);
  config.created.reset();
  config.author = options.author.empty() ? std::nullopt : std::optional(options.author);
  oci::History step;
  step.created = to_rfc3339(now());
  step.created_by = fmt::format("{}", fmt::join(record.info.argv, " "));
  if (!options.author.empty()) step.author = options.author;
  if (!options.comment.empty()) step.comment = options.comment;
  config.history.push_back(std::move(step));

  auto lease = parts.images.lease();
  auto upper = upper_of(record, paths_of(record.info.id));
  auto skip = find_changes(layer_paths(record), upper).mount_points;
  auto layers = record.internals.layers;
  for (const auto& layer : layers) parts.images.hold(*lease, layer);
  layers.push_back(parts.images.copy_layer(
      upper, [&](const std::string& path) { return skip.contains(path); }, *lease));
  return parts.images.commit_image(layers, std::move(config), options.reference);
}

// Held still by the freezer alone and not by its state: should the daemon end in between, it goes on.
task<image::ImageInfo> Engine::Impl::commit_image(ContainerId id, CommitOptions options) {
  auto container = find(id);
  std::optional<AsyncMutex::Guard> guard;
  if (options.pause || !container->run) guard.emplace(co_await container->mutex.lock());
  require_kept(*container);
  bool halt = options.pause && container->run && !container->run->exit && container->state() == State::running;
  std::exception_ptr failure;
  image::ImageInfo made;
  try {
    if (halt) {
      co_await parts.runtime.freeze(id);
      events->publish(event(*container, "pause"));
    }
    auto make = [this, record = container->record, options] { return make_image(record, options); };
    made = co_await parts.pool.run(std::move(make));
  } catch (...) {
    failure = std::current_exception();
  }
  if (halt) {
    co_await parts.runtime.thaw(id);
    events->publish(event(*container, "unpause"));
  }
  if (failure) std::rethrow_exception(failure);
  events->publish(event(*container, "commit", "committed_image", made.id));
  co_return made;
}

}  // namespace gantry::engine
