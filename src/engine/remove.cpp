#include "container_files.h"
#include "gantry/base/files.h"
#include "gantry/base/log.h"
#include "impl.h"

namespace gantry::engine {

task<> Engine::Impl::remove(ContainerId id, RemoveOptions options) {
  auto container = find(id);
  if (!options.force) require_next_state(container->state(), Transition::remove, container->name());
  call_off_back_off(*container);
  // Also under a stop that is waiting for its grace to pass: its wait ends with the process.
  if (options.force && container->run) co_await kill_processes(container);
  auto guard = co_await container->mutex.lock();
  if (container->gone) co_return;
  if (container->run && options.force) {
    StopRequest request;
    request.grace = Duration::zero();
    co_await stop_locked(container, request);
  }
  if (!container->gone) co_await remove_locked(container, options.volumes);
}

task<> Engine::Impl::remove_locked(ContainerPtr container, bool volumes) {
  step("remove: row");
  commit(*container, Transition::remove, [&](Record& record) {
    record.internals.remove_volumes = record.internals.remove_volumes || volumes || record.info.spec.auto_remove;
  });
  call_off_back_off(*container);
  end_attaching(*container);
  co_await finish_forwarding(container);
  step("remove: release");
  co_await unplug(container);
  step("remove: files");
  auto remove_files = [this, record = container->record] {
    auto gone = release_volumes(record);
    throw_away(paths_of(record.info.id).root, trash_dir());
    return gone;
  };
  auto volumes_gone = co_await parts.pool.run(std::move(remove_files));
  step("remove: forget");
  std::vector<Event> told;
  told.push_back(event(*container, "destroy"));
  for (const auto& name : volumes_gone) told.push_back(volume_event(name, "destroy"));
  if (container->stored) records.erase(container->id(), std::move(told), lease_rows_of(container->id()));
  parts.networks.released(container->id());
  execs.forget(container->id());
  if (const auto& image = container->record.info.image_id; !image.empty()) parts.images.touch(image);
  containers.erase(container->id());
  container->gone = true;
  wake(*container);
  empty_trash();
}

void Engine::Impl::empty_trash() {
  if (std::exchange(emptying, true)) return;
  background.spawn("empty the trash", delete_trash());
}

task<> Engine::Impl::delete_trash() {
  bool more = true;
  while (more && !closing) {
    auto remove_some = [trash = trash_dir()] { return remove_one(trash); };
    more = co_await parts.pool.run(std::move(remove_some));
  }
  emptying = false;
}

void Engine::Impl::discard(const ContainerId& id) {
  if (closing || !containers.contains(id)) return;
  RemoveOptions options{.force = true, .volumes = true};
  operations.start(remove(id, options));
}

}  // namespace gantry::engine
