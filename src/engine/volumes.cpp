#include <sys/stat.h>

#include "gantry/base/files.h"
#include "gantry/base/log.h"
#include "impl.h"
#include "layer_view.h"
#include "tree_copy.h"

namespace gantry::engine {
namespace {

void require_bind_source(const Mount& mount) {
  struct stat status {};
  if (::stat(mount.source.c_str(), &status) == 0) return;
  if (errno == ENOENT && mount.create_source) {
    make_directories(mount.source);
    return;
  }
  if (errno == ENOENT)
    throw Error(ErrorKind::not_found, "bind mount on " + mount.target + ": " + mount.source + " does not exist",
                "create it on the host, or correct the path");
  throw_errno("bind mount on " + mount.target + ": " + mount.source);
}

}  // namespace

void Engine::Impl::require_bind_sources(const Record& record) const {
  for (const auto& mount : record.internals.resolved.mounts)
    if (mount.type == MountType::bind) require_bind_source(mount);
}

LayerPaths Engine::Impl::layer_paths(const Record& record) const {
  LayerPaths out;
  for (const auto& diff_id : record.internals.layers) out.push_back(parts.images.layer_path(diff_id));
  return out;
}

task<std::map<std::string, std::string>> Engine::Impl::prepare_volumes(ContainerPtr container) {
  std::map<std::string, std::string> out;
  if (container->record.internals.resolved.mounts.empty()) co_return out;
  auto check = [this, container] { require_bind_sources(container->record); };
  co_await parts.pool.run(std::move(check));
  for (auto mount : container->record.internals.resolved.mounts)
    if (mount.type == MountType::volume) out[mount.source] = co_await prepare_volume(container, mount);
  co_return out;
}

// Filling may take long and must happen once, so whoever needs the same volume waits; others do not.
task<std::string> Engine::Impl::prepare_volume(ContainerPtr container, Mount mount) {
  auto lock = volume_locks[mount.source].lock();
  if (!lock) volume_locks[mount.source] = lock = std::make_shared<AsyncMutex>(parts.executor);
  auto guard = co_await lock->lock();
  const auto& anonymous = container->record.internals.anonymous_volumes;
  bool unnamed = std::find(anonymous.begin(), anonymous.end(), mount.source) != anonymous.end();
  auto prepare = [this, container, mount, unnamed] {
    bool fresh = false;
    auto info = parts.volumes.ensure(mount.source, {}, unnamed, &fresh);
    parts.volumes.use(mount.source, container->id());
    if (fresh && !mount.no_copy) {
      clear_directory(info.path);
      LayerView(layer_paths(container->record)).copy_directory(mount.target, info.path);
    }
    if (fresh) parts.volumes.filled(mount.source);
    return info.path;
  };
  auto path = co_await parts.pool.run(std::move(prepare));
  std::erase_if(volume_locks, [&](const auto& entry) { return entry.first != mount.source && entry.second.expired(); });
  co_return path;
}

void Engine::Impl::release_volumes(const Record& record) const {
  parts.volumes.unuse(record.info.id);
  if (!record.internals.remove_volumes) return;
  for (const auto& name : record.internals.anonymous_volumes) {
    try {
      parts.volumes.remove(name);
    } catch (const Error& error) {
      // Another container may have been given it by its name; and a removal may be repeated after a crash.
      if (error.kind() != ErrorKind::not_found && error.kind() != ErrorKind::conflict) throw;
    }
  }
}

}  // namespace gantry::engine
