#include <sys/stat.h>

#include "gantry/base/files.h"
#include "gantry/base/log.h"
#include "impl.h"
#include "layer_view.h"
#include "propagation.h"
#include "tree_copy.h"

namespace gantry::engine {
namespace {

void require_bind_source(const Mount& mount) {
  struct stat status {};
  if (::stat(mount.source.c_str(), &status) == 0) {
    require_propagation(mount.source, mount.propagation);
    return;
  }
  if (errno == ENOENT && mount.create_source) {
    make_directories(mount.source);
    return;
  }
  if (errno == ENOENT)
    throw Error(ErrorKind::not_found, "bind mount on " + mount.target + ": " + mount.source + " does not exist",
                "create it on the host, or correct the path");
  throw_errno("bind mount on " + mount.target + ": " + mount.source);
}

// By these the next container of a replica finds what its predecessor kept there.
void add_stack_labels(const std::map<std::string, std::string>& container, const std::string& target,
                      std::map<std::string, std::string>& out) {
  for (const char* name : {kStackLabel, kServiceLabel, kReplicaLabel})
    if (auto found = container.find(name); found != container.end()) out.insert(*found);
  if (!out.empty() && container.contains(kStackLabel)) out[kMountLabel] = target;
}

}  // namespace

Event Engine::Impl::volume_event(const std::string& name, std::string action) {
  Event out;
  out.time = now();
  out.type = "volume";
  out.action = std::move(action);
  out.id = name;
  out.attributes["driver"] = "local";
  return out;
}

std::vector<Event> Engine::Impl::volume_events(const Container& container, const std::string& action) const {
  std::vector<Event> out;
  for (const auto& mount : container.record.internals.resolved.mounts) {
    if (mount.type != MountType::volume) continue;
    auto& told = out.emplace_back(volume_event(mount.source, action));
    told.attributes["container"] = container.id().str();
    if (action != "mount") continue;
    told.attributes["destination"] = mount.target;
    told.attributes["propagation"] = "";
    told.attributes["read/write"] = mount.read_only ? "false" : "true";
  }
  return out;
}

void Engine::Impl::require_bind_sources(const Record& record) const {
  for (const auto& mount : record.internals.resolved.mounts)
    if (mount.type == MountType::bind) require_bind_source(mount);
}

LayerPaths Engine::Impl::layer_paths(const Record& record) const {
  LayerPaths out;
  for (const auto& diff_id : record.internals.layers) out.push_back(parts.images.layer_path(diff_id));
  return out;
}

task<std::map<std::string, std::string>> Engine::Impl::prepare_volumes(ContainerPtr container, bool starting) {
  std::map<std::string, std::string> out;
  if (container->record.internals.resolved.mounts.empty()) co_return out;
  auto check = [this, record = container->record] { require_bind_sources(record); };
  co_await parts.pool.run(std::move(check));
  for (auto mount : container->record.internals.resolved.mounts)
    if (mount.type == MountType::volume) out[mount.source] = co_await prepare_volume(container, mount, starting);
  co_return out;
}

void Engine::Impl::fill_from_image(const Mount& mount, const std::filesystem::path& target) const {
  LayerPaths layers;
  for (const auto& diff_id : parts.images.resolve(mount.image).layers)
    layers.push_back(parts.images.layer_path(diff_id));
  auto path = mount.image_path.empty() ? std::string("/") : mount.image_path;
  if (!LayerView(layers).copy_directory(path, target))
    throw Error(ErrorKind::invalid, "mount on " + mount.target + ": image " + mount.image + " has no directory " + path,
                "correct the subpath");
}

// Filling may take long and must happen once, so whoever needs the same volume waits; others do not.
task<std::string> Engine::Impl::prepare_volume(ContainerPtr container, Mount mount, bool starting) {
  auto lock = volume_lock(mount.source);
  auto guard = co_await lock->lock();
  if (starting) container->held_volumes.insert(mount.source);
  const auto& anonymous = container->record.internals.anonymous_volumes;
  bool unnamed = std::find(anonymous.begin(), anonymous.end(), mount.source) != anonymous.end();
  auto made = std::make_shared<bool>(false);
  auto prepare = [this, container, mount, unnamed, starting, made] {
    bool fresh = false;
    volume::VolumeSpec spec;
    spec.name = mount.source;
    spec.labels = mount.volume_labels;
    if (unnamed) add_stack_labels(container->record.info.spec.labels, mount.target, spec.labels);
    spec.options = mount.volume_options;
    spec.anonymous = unnamed;
    auto info = parts.volumes.ensure(spec, &fresh);
    *made = fresh;
    parts.volumes.use(mount.source, container->id());
    bool is_mounted_later = !info.options.empty();
    if (is_mounted_later && !starting) return info;
    if (is_mounted_later) parts.volumes.mount(info);
    // What somebody else keeps there is neither cleared nor written over.
    bool fill = fresh && !mount.no_copy && (!is_mounted_later || std::filesystem::is_empty(info.path));
    if (fill && !is_mounted_later) clear_directory(info.path);
    if (fill && mount.image.empty()) LayerView(layer_paths(container->record)).copy_directory(mount.target, info.path);
    if (fill && !mount.image.empty()) fill_from_image(mount, info.path);
    if (fresh) parts.volumes.filled(mount.source);
    return info;
  };
  auto info = co_await parts.pool.run(std::move(prepare));
  if (*made) events->publish(volume_event(mount.source, "create"));
  if (starting && !info.options.empty()) mounted_volumes.insert(info.name);
  std::erase_if(volume_locks, [&](const auto& entry) { return entry.first != mount.source && entry.second.expired(); });
  co_return info.path;
}

std::shared_ptr<AsyncMutex> Engine::Impl::volume_lock(const std::string& name) {
  auto lock = volume_locks[name].lock();
  if (!lock) volume_locks[name] = lock = std::make_shared<AsyncMutex>(parts.executor);
  return lock;
}

void Engine::Impl::let_go_of_volumes(Container& container) {
  auto held = std::exchange(container.held_volumes, {});
  for (const auto& name : held)
    if (mounted_volumes.contains(name)) background.spawn("unmount volume " + name, unmount_volume(name));
}

// Later than the end, and not at all when somebody else runs who has it, or starts meanwhile.
task<> Engine::Impl::unmount_volume(std::string name) {
  auto lock = volume_lock(name);
  auto guard = co_await lock->lock();
  for (const auto& [id, container] : containers)
    if (container->held_volumes.contains(name)) co_return;
  auto unmount = [this, name] { parts.volumes.unmount(parts.volumes.inspect(name)); };
  try {
    co_await parts.pool.run(std::move(unmount));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
  }
  mounted_volumes.erase(name);
}

// Those that run have what they need; the rest of what is mounted was left by an end while no daemon was there.
task<> Engine::Impl::recover_volumes() {
  for (const auto& [id, container] : containers) {
    if (!container->run) continue;
    for (const auto& mount : container->record.internals.resolved.mounts)
      if (mount.type == MountType::volume) container->held_volumes.insert(mount.source);
  }
  auto look = [this] {
    std::vector<std::string> out;
    for (const auto& info : parts.volumes.list())
      if (!info.options.empty() && parts.volumes.is_mounted(info)) out.push_back(info.name);
    return out;
  };
  auto mounted = co_await parts.pool.run(look);
  mounted_volumes.insert(mounted.begin(), mounted.end());
  for (const auto& name : mounted) co_await unmount_volume(name);
}

std::vector<std::string> Engine::Impl::release_volumes(const Record& record) const {
  std::vector<std::string> removed;
  parts.volumes.unuse(record.info.id);
  auto is_of_image = [&](const std::string& name) {
    return std::ranges::any_of(record.internals.resolved.mounts,
                               [&](const Mount& mount) { return mount.source == name && !mount.image.empty(); });
  };
  for (const auto& name : record.internals.anonymous_volumes) {
    if (!record.internals.remove_volumes && !is_of_image(name)) continue;
    try {
      parts.volumes.remove(name);
      removed.push_back(name);
    } catch (const Error& error) {
      // Another container may have been given it by its name; and a removal may be repeated after a crash.
      if (error.kind() != ErrorKind::not_found && error.kind() != ErrorKind::conflict) throw;
    }
  }
  return removed;
}

}  // namespace gantry::engine
