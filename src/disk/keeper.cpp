#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "keeper_impl.h"
#include "measure.h"

namespace gantry::disk {

Keeper::Keeper(engine::Engine& engine, build::Builder& builder, distribution::Distribution& registry,
               distribution::Mirror& mirror, std::filesystem::path data_dir, Budgets budgets)
    : impl_(std::make_shared<Impl>(engine, builder, registry, mirror, std::move(data_dir), budgets)) {}
Keeper::~Keeper() = default;

task<Usage> Keeper::measure(Parts parts) { return impl_->measure(parts); }

std::vector<Warning> Keeper::warnings() const {
  std::vector<Warning> out;
  for (const auto& [kind, warning] : impl_->warned) out.push_back(warning);
  return out;
}

task<Usage> Keeper::Impl::measure(Parts parts) {
  Usage out;
  auto& images = engine.images();
  auto rows = [this, &images, parts] {
    Usage usage;
    usage.file_system = file_system_of(data_dir);
    if (parts.images) measure_images(images, usage);
    if (parts.registry) measure_registry(registry, mirror, usage);
    return usage;
  };
  out = co_await engine.pool().run(rows);
  if (parts.images) {
    std::map<std::string, std::int64_t> users;
    engine::ContainerFilter all;
    all.build_steps = true;
    engine.for_each(all, [&](const engine::ContainerInfo& info) { ++users[info.image_id]; });
    for (auto& image : out.images) image.containers = users[image.info.id];
  }
  if (parts.containers) co_await measure_containers(&out);
  if (parts.volumes) co_await measure_volumes(&out);
  if (parts.cache) {
    auto cache = co_await builder.cache_usage();
    out.cache = {cache.layers, cache.mounts};
  }
  co_return out;
}

// One container a trip to the pool, so that nobody else's work waits for a walk through all of them.
task<> Keeper::Impl::measure_containers(Usage* out) {
  struct Place {
    std::string upper, log;
  };
  std::vector<Place> places;
  engine::ContainerFilter all;
  engine.for_each(all, [&](const engine::ContainerInfo& info) {
    auto details = engine.details(info.id);
    bool ended = info.state == engine::State::created || info.state == engine::State::exited;
    out->containers.push_back({info.id.str(), info.spec.name, info.image_id, !ended});
    places.push_back({details.upper_path, details.log_path});
  });
  auto& images = engine.images();
  for (std::size_t i = 0; i < places.size(); ++i) {
    auto walk = [&images, place = places[i], use = out->containers[i]]() mutable {
      use.writable = tree_size(place.upper);
      use.logs = logs_at(place.log).bytes;
      try {
        use.below = images.resolve(use.image_id).size;
      } catch (const Error&) {
        // A build step, or an image that is gone.
      }
      return use;
    };
    out->containers[i] = co_await engine.pool().run(walk);
  }
}

task<> Keeper::Impl::measure_volumes(Usage* out) {
  std::map<std::string, std::int64_t> users;
  engine::ContainerFilter all;
  engine.for_each(all, [&](const engine::ContainerInfo& info) {
    for (const auto& mount : engine.details(info.id).mounts)
      if (mount.type == engine::MountType::volume) ++users[mount.source];
  });
  auto& volumes = engine.volumes();
  auto list = [&volumes] { return volumes.list(); };
  auto found = co_await engine.pool().run(list);
  std::uint64_t total = 0;
  for (auto& info : found) {
    auto walk = [&volumes, info] { return volumes.usage(info); };
    auto bytes = co_await engine.pool().run(walk);
    total += bytes;
    auto containers = users[info.name];
    out->volumes.push_back({std::move(info), bytes, containers});
  }
  volumes_measured = total;
}

std::uint64_t Keeper::Impl::volume_bytes() {
  std::uint64_t total = 0;
  for (const auto& info : engine.volumes().list()) total += engine.volumes().usage(info);
  volumes_measured = total;
  return total;
}

// What the last round saw, and only when that is too much, what is there now.
void Keeper::admit(Impl& impl, const volume::VolumeSpec& spec) {
  auto budget = impl.budgets.volumes.of(file_system_of(impl.data_dir).size);
  if (!budget || spec.anonymous || impl.volumes_measured <= *budget || impl.volume_bytes() <= *budget) return;
  throw Error(ErrorKind::exhausted,
              "volume " + spec.name + ": the volumes there are take " + human_bytes(impl.volumes_measured) +
                  ", more than their budget of " + human_bytes(*budget),
              "remove volumes ('gantry disk' shows the largest, 'gantry volume prune' removes unused ones), or start "
              "gantryd with a larger --volume-budget");
}

}  // namespace gantry::disk
