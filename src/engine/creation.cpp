#include "gantry/base/files.h"
#include "gantry/base/log.h"
#include "id_range.h"
#include "impl.h"
#include "names.h"
#include "profiles.h"
#include "sharing.h"

namespace gantry::engine {
namespace {

// Anonymous volumes get their names now, so that a crash leaves none that nobody knows.
void name_volumes(Internals* internals) {
  for (auto& mount : internals->resolved.mounts) {
    if (mount.type != MountType::volume || (!mount.source.empty() && !mount.anonymous)) continue;
    if (mount.source.empty()) mount.source = random_hex(64);
    internals->anonymous_volumes.push_back(mount.source);
  }
}

}  // namespace

Origin Engine::Impl::origin_of(const std::string& reference) const {
  auto image = parts.images.resolve(reference);  // a few rows: less than a trip to a worker
  parts.images.touch(image.id);
  Origin origin;
  origin.image_id = image.id;
  origin.layers = image.layers;
  origin.config = image.config.config;
  return origin;
}

task<ContainerId> Engine::Impl::create(ContainerSpec spec) {
  auto turn = co_await creations.acquire();
  require_valid(spec);
  auto origin = origin_of(spec.image);
  auto container = add_container(std::move(spec), std::move(origin));
  turn.give_back();
  co_await finish_creation(container);
  co_await durable();
  co_return container->id();
}

task<ContainerId> Engine::Impl::create_step(ContainerSpec spec, StepRoot root) {
  require_valid(spec);
  Origin origin;
  origin.layers = std::move(root.layers);
  origin.upper = root.upper.string();
  origin.work = root.work.string();
  origin.hidden = true;
  step_group = std::move(root.group);
  auto container = add_container(std::move(spec), std::move(origin));
  co_await finish_creation(container);
  co_return container->id();
}

ContainerPtr Engine::Impl::new_container(ContainerSpec spec, Origin origin) {
  final_capabilities(spec.security, capabilities);
  for (const auto& attachment : spec.networks) require_bridge(parts.networks, attachment.network);
  require_security_profiles(spec.security);
  settle_namespaces(&spec);
  settle_links(&spec);
  settle_name(&spec);
  auto container = std::make_shared<Container>(parts.executor, make_record(std::move(spec), std::move(origin)));
  container->stored = false;
  return container;
}

ContainerPtr Engine::Impl::add_container(ContainerSpec spec, Origin origin) {
  step("create: row");
  auto container = new_container(std::move(spec), std::move(origin));
  amend(*container, [](Record&) {});
  containers.emplace(container->id(), container);
  return container;
}

task<> Engine::Impl::finish_creation(ContainerPtr container) {
  auto guard = co_await container->mutex.lock();
  std::exception_ptr failure;
  try {
    step("create: volumes");
    co_await prepare_volumes(container, false);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    co_await remove_locked(container, true);
    std::rethrow_exception(failure);
  }
}

task<Launched> Engine::Impl::launch(ContainerSpec spec, bool attach) {
  auto asked = std::chrono::steady_clock::now().time_since_epoch();
  auto turn = co_await creations.acquire();
  require_valid(spec);
  auto origin = origin_of(spec.image);
  ContainerPtr container;
  if (spec.mounts.empty() && spec.volumes_from.empty() && origin.config.Volumes.empty()) {
    container = new_container(std::move(spec), std::move(origin));
    containers.emplace(container->id(), container);
  } else {
    // A volume says who uses it, so the row must be there first.
    container = add_container(std::move(spec), std::move(origin));
  }
  bool has_row = container->stored;
  turn.give_back();
  if (has_row) co_await finish_creation(container);
  container->trace.assign(1, {"asked for", asked});
  Launched out;
  out.id = container->id();
  out.container = container;
  auto guard = co_await container->mutex.lock();
  if (attach) {
    auto pending = std::make_shared<PendingAttach>(parts.executor);
    container->attaching.push_back(pending);
    out.session = make_session(pending);
  }
  std::exception_ptr failure;
  try {
    co_await start_locked(container, Wanted::by_user);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return out;
  out.failure = to_error(failure);
  // The store refused even its first row: it has never been.
  if (!container->stored && !container->gone) {
    containers.erase(container->id());
    container->gone = true;
    wake(*container);
  }
  co_return out;
}

std::vector<Mount> Engine::Impl::inherited_mounts(const ContainerSpec& spec) const {
  std::vector<Mount> out;
  for (const auto& from : spec.volumes_from)
    for (auto mount : find_by_reference(from.container)->record.internals.resolved.mounts) {
      if (mount.type == MountType::tmpfs) continue;
      mount.read_only = mount.read_only || from.read_only;
      std::erase_if(out, [&](const Mount& have) { return have.target == mount.target; });
      out.push_back(std::move(mount));
    }
  return out;
}

void Engine::Impl::settle_links(ContainerSpec* spec) const {
  for (auto& link : spec->links) {
    auto container = find_by_reference(link.container);
    if (link.alias.empty()) link.alias = container->name();
    link.container = container->id().str();
  }
}

void Engine::Impl::settle_name(ContainerSpec* spec) const {
  if (spec->name.empty())
    spec->name = generate_name([&](const std::string& name) { return name_taken(spec->project, name); });
  for (const auto& [id, container] : containers) {
    const auto& other = container->record.info.spec;
    if (other.project != spec->project || other.name != spec->name) continue;
    throw Error(ErrorKind::conflict, "the name " + spec->name + " is used by container " + short_id(id),
                "remove that one with 'gantry rm " + spec->name + "', or choose another name");
  }
}

Record Engine::Impl::make_record(ContainerSpec spec, Origin origin) const {
  Record record;
  auto& info = record.info;
  auto& internals = record.internals;
  internals.resolved = engine::resolve(spec, origin.config, inherited_mounts(spec));
  name_volumes(&internals);
  internals.layers = std::move(origin.layers);
  internals.upper = std::move(origin.upper);
  internals.work = std::move(origin.work);
  internals.hidden = origin.hidden;
  internals.id_slot = reserve_id_slot(spec);
  info.id = make_id<ContainerId>();
  info.image_id = std::move(origin.image_id);
  info.created = now();
  info.argv = internals.resolved.argv;
  info.isolation_off = opt_outs(spec);
  // With the containers whose namespaces it joins.
  if (!internals.id_slot && !needs_host_users(spec)) info.isolation_off.push_back("userns=host");
  info.spec = std::move(spec);
  return record;
}

std::optional<std::int64_t> Engine::Impl::reserve_id_slot(const ContainerSpec& spec) const {
  if (needs_host_users(spec)) return std::nullopt;
  auto joined = joined_containers(spec.namespaces);
  return joined.empty() ? free_id_slot() : find(ContainerId(joined.front()))->record.internals.id_slot;
}

std::int64_t Engine::Impl::free_id_slot() const {
  std::set<std::int64_t> used(warm.slots().begin(), warm.slots().end());
  for (const auto& [id, container] : containers)
    if (container->record.internals.id_slot) used.insert(*container->record.internals.id_slot);
  return choose_id_slot(used, data_dir.string());
}

}  // namespace gantry::engine
