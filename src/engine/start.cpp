#include <algorithm>

#include "cdi.h"
#include "container_files.h"
#include "gantry/base/files.h"
#include "gantry/base/log.h"
#include "impl.h"
#include "sharing.h"

// Everything that exists outside the store from `start` on is given back by release_network and release_runtime, which
// ask the owners by the container's id: so nothing has to be remembered for the way back, neither here nor after a
// crash.
namespace gantry::engine {
namespace {

// What a shell says when it cannot run a command; Docker's 125 for everything that is not the command's fault.
int exit_code_of(const Error& failure, bool executing) {
  if (!executing) return 125;
  if (failure.kind() == ErrorKind::not_found) return 127;
  // The runtime's words for a file that is there but cannot be executed.
  if (failure.message().find("the command is not") != std::string::npos) return 126;
  return 125;
}

struct SpareDirectory {
  WarmPool& pool;
  std::filesystem::path directory;
  ~SpareDirectory() { pool.spare(std::move(directory)); }
};

std::vector<NetworkAddress> addresses_of(const network::Reservation& reservation) {
  std::vector<NetworkAddress> out;
  for (const auto& endpoint : reservation.endpoints()) out.push_back(to_address(endpoint));
  return out;
}

}  // namespace

task<> Engine::Impl::start(ContainerId id) {
  auto container = find(id);
  auto guard = co_await container->mutex.lock();
  if (container->state() == State::running) co_return;
  call_off_back_off(*container);
  co_await start_locked(container, Wanted::by_user);
}

task<> Engine::Impl::start_locked(ContainerPtr container, Wanted wanted) {
  if (container->trace.size() != 1) begin_trace(*container);  // launch has begun one
  co_await has_left(container);
  auto before = container->state();
  require_next_state(before, Transition::start, container->name());
  bool executing = false;
  std::exception_ptr failure;
  try {
    co_await start_steps(container, wanted, &executing);
  } catch (...) {
    failure = std::current_exception();
  }
  warm.refill();
  if (failure) co_await start_failed(container, wanted, before, to_error(failure), executing);
}

// One transaction: that it is being started, and all it holds of the network. What comes after it is undone by
// release_network and release_runtime, now or after a crash.
void Engine::Impl::commit_start(Container& container, Wanted wanted, const network::Reservation* reservation,
                                std::optional<std::int64_t> id_slot) {
  RecordStore::Also rows;
  std::vector<Event> told;
  if (reservation != nullptr) {
    rows = [reservation](store::Transaction& t) { reservation->write(t); };
    for (const auto& address : addresses_of(*reservation)) told.push_back(network_event(container, "connect", address));
  }
  if (!container.held_volumes.empty())
    for (auto& mounted : volume_events(container, "mount")) told.push_back(std::move(mounted));
  commit(
      container, Transition::start,
      [&](Record& record) {
        auto& internals = record.internals;
        record.info.error.clear();
        record.info.stopped_by_user = false;
        record.info.restart_count = wanted == Wanted::by_user ? 0 : record.info.restart_count + 1;
        record.info.addresses.clear();
        record.info.ports.clear();
        if (reservation != nullptr) {
          record.info.addresses = addresses_of(*reservation);
          record.info.ports = to_bindings(reservation->ports());
        }
        if (wanted == Wanted::by_user) internals.failures = 0;
        // Files are stored with the ids the container knows, so another range is as good as the last one.
        internals.id_slot = id_slot;
        internals.start_after_stop = false;
        internals.start_began = now();
        internals.boot_id = boot_id;
        internals.network_changing = false;
      },
      std::move(told), rows);
}

task<> Engine::Impl::start_steps(ContainerPtr container, Wanted wanted, bool* executing) {
  auto id = container->id();
  auto joined = join(container->record.info.spec);
  joined.hosts = linked_hosts(container->record.info);
  step(*container, "start: volumes");
  auto volumes = co_await prepare_volumes(container, true);
  step(*container, "start: reserve");
  auto permit = co_await starts.acquire();
  // What is mounted on the host after a shim was made need not be seen by it.
  bool seen =
      std::ranges::none_of(container->held_volumes, [&](const auto& name) { return mounted_volumes.contains(name); });
  Warm ready = seen ? take_warm(container->record).value_or(Warm{}) : Warm{};
  SpareDirectory spare{warm, ready.directory};
  auto reservation = co_await reserve_network(container, &ready);
  step(*container, "start: row");
  auto id_slot = ready.standby             ? std::optional(ready.id_slot->number())
                 : !joined.lenders.empty() ? joined.id_slot
                                           : container->record.internals.id_slot;
  commit_start(*container, wanted, reservation ? &*reservation : nullptr, id_slot);
  if (reservation) reservation->keep();
  step(*container, "start: plan");
  auto plan = plan_start(container, std::move(volumes), joined, ready, executing);

  // Side by side: the namespaces are there already, and the disk need not be waited for before the program runs.
  step(*container, "start: create");
  runtime::Launched launched;
  std::vector<task<>> parallel;
  parallel.push_back(launch_runtime(id, std::move(plan), &launched));
  parallel.push_back(durable());
  if (ready.standby) parallel.push_back(plug(container, ready.standby->netns().duplicate()));
  co_await all(std::move(parallel));
  runtime::Created created{.launcher = launched.plan->launcher, .handed_over = launched.handed_over};
  bool at_once = ready.standby && launched.may_start_at_once();
  if (!at_once) {
    created = co_await parts.runtime.created(launched);
    *executing = false;
  }
  launched = {};
  require_still_joined(joined);
  step(*container, "start: attach");
  co_await connect_sessions(container);
  step(*container, "start: plug");
  if (!ready.standby) co_await plug(container, std::move(created.netns));
  ready = {};

  step(*container, "start: execute");
  *executing = true;
  created.pid = co_await parts.runtime.start(id);
  *executing = false;
  step(*container, "start: running");
  container->shim_trace = parts.runtime.trace(id);
  adopt_running(container, created);
}

task<> Engine::Impl::launch_runtime(ContainerId id, std::function<runtime::Plan()> plan, runtime::Launched* launched) {
  *launched = co_await parts.runtime.launch(std::move(id), std::move(plan));
}

task<> Engine::Impl::start_failed(ContainerPtr container, Wanted wanted, State before, Error failure, bool executing) {
  container->attachable = false;
  co_await release_network(container);
  co_await release_runtime(container);
  let_go_of_volumes(*container);
  bool connected = container->state() != before;
  // It may have failed before its first row: then this is it.
  if (container->state() == before) commit_start(*container, wanted, nullptr, container->record.internals.id_slot);
  auto& info = container->record.info;
  int code = exit_code_of(failure, executing);
  std::optional<Restart> again;
  if (wanted == Wanted::by_policy) {
    Ending ending{.exit_code = code, .restart_count = info.restart_count};
    ending.failures = container->record.internals.failures;
    again = decide_restart(info.spec.restart, ending);
  }
  auto transition = again                      ? Transition::ended_again
                    : before == State::created ? Transition::start_undone
                                               : Transition::ended;
  std::vector<Event> told;
  told.push_back(event(*container, "start_failed", "error", failure.message()));
  told.back().attributes["exit_code"] = std::to_string(code);
  if (connected) {
    for (const auto& address : info.addresses) told.push_back(network_event(*container, "disconnect", address));
    for (auto& unmounted : volume_events(*container, "unmount")) told.push_back(std::move(unmounted));
  }
  commit(
      *container, transition,
      [&](Record& record) {
        record.info.error = failure.message();
        record.info.exit_code = code;
        record.info.pid = 0;
        record.info.addresses.clear();
        record.info.ports.clear();
        if (before != State::created) record.info.finished = now();
        if (again) record.internals.failures = again->failures;
      },
      std::move(told));
  ++container->endings;
  wake(*container);
  end_attaching(*container);
  if (again) begin_back_off(container, again->delay);
  if (info.spec.auto_remove) co_await remove_locked(container, true);
  if (wanted == Wanted::by_user) throw failure.within("start container " + container->name());
  log::warn("container {}: restart failed: {}", container->name(), failure.message());
}

std::optional<Warm> Engine::Impl::take_warm(const Record& record) {
  const auto& spec = record.info.spec;
  bool networked = !attachments_of(record.info).empty();
  // Steps of builds are in a control group of their own.
  bool usable = record.internals.id_slot && networked && !record.internals.hidden && spec.runtime != "crun" &&
                has_ordinary_isolation(spec);
  return usable ? warm.take() : std::nullopt;
}

task<std::optional<network::Reservation>> Engine::Impl::reserve_network(ContainerPtr container, Warm* warm_start) {
  const auto& info = container->record.info;
  auto attachments = attachments_of(info);
  if (attachments.empty()) co_return std::nullopt;
  network::ReservationSpec wanted;
  wanted.container = info.id;
  wanted.link = std::exchange(warm_start->link, std::nullopt);
  for (const auto& attachment : attachments) wanted.endpoints.push_back(endpoint_spec(info, attachment));
  wanted.ports = to_published(wanted_ports(container->record));
  wanted.publish_address = parts.publish_address;
  auto reservation = co_await parts.networks.plan(std::move(wanted));
  co_return std::optional<network::Reservation>(std::move(reservation));
}

std::function<runtime::Plan()> Engine::Impl::plan_start(ContainerPtr container,
                                                        std::map<std::string, std::string> volumes,
                                                        const Joined& joined, const Warm& ready, bool* executing) {
  const auto& info = container->record.info;
  auto resolv = usual_resolv(info);
  return [this, record = container->record, volumes, resolv, joined, made = ready.directory, standby = ready.standby,
          executing, group = step_group] {
    PlanInputs inputs;
    inputs.paths = paths_of(record.info.id);
    adopt_directories(made, inputs.paths.root);
    inputs.layers = layer_paths(record);
    inputs.volume_paths = volumes;
    inputs.user = look_up_user(record, record.internals.resolved.user);
    inputs.capabilities = capabilities;
    inputs.namespaces = joined.namespaces;
    inputs.network_files = joined.network_files.empty() ? inputs.paths.root : joined.network_files;
    inputs.shm_of = joined.shm_of;
    write_container_files(inputs.paths.root, record.info, record.info.addresses, resolv, joined.hosts);
    make_directories(inputs.paths.state(), 0700);
    auto plan = make_plan(record, inputs);
    plan.standby = standby;
    if (record.internals.hidden) plan.shared_group = group;
    add_cdi_devices(record.info.spec.cdi_devices, cdi_directories(), &plan);
    *executing = true;
    return plan;
  };
}

task<> Engine::Impl::connect_sessions(ContainerPtr container) {
  while (!container->attaching.empty()) {
    auto pending = container->attaching.front();
    container->attaching.erase(container->attaching.begin());
    if (pending.use_count() == 1) continue;  // whoever wanted it went away
    std::exception_ptr failure;
    try {
      auto session = co_await parts.runtime.attach(container->id());
      pending->bind(std::move(session));
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) {
      pending->end();  // nobody else knows it any more
      std::rethrow_exception(failure);
    }
  }
  container->attachable = true;
  if (container->record.info.spec.tty && container->terminal)
    co_await parts.runtime.resize(container->id(), container->terminal->rows, container->terminal->columns);
}

task<> Engine::Impl::plug(ContainerPtr container, Fd netns) {
  const auto& info = container->record.info;
  if (!has_own_network(info.spec)) co_return;
  if (attachments_of(info).empty()) {
    co_await parts.networks.plug_loopback(netns);
  } else {
    co_await parts.networks.plug(container->id(), netns);
  }
}

task<> Engine::Impl::unplug(ContainerPtr container) {
  try {
    co_await parts.networks.unplug(container->id());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) throw;
    log::warn("container {}: unplugging its network: {}", container->name(), error.message());
  }
}

RecordStore::Also Engine::Impl::lease_rows_of(ContainerId id) {
  return [id = std::move(id)](store::Transaction& t) { network::NetworkManager::erase_rows(t, id); };
}

task<> Engine::Impl::release_network(ContainerPtr container) {
  try {
    co_await parts.networks.unplug(container->id());
    co_await parts.networks.release(container->id());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) throw;
    log::warn("container {}: releasing its network: {}", container->name(), error.message());
  }
}

void Engine::Impl::let_go_of_runtime(ContainerPtr container) {
  container->attachable = false;
  container->leaving = true;
  operations.start(leave(container));
}

task<> Engine::Impl::leave(ContainerPtr container) {
  co_await release_runtime(container);
  container->leaving = false;
  wake(*container);
}

task<> Engine::Impl::has_left(ContainerPtr container) {
  while (container->leaving) co_await container->changed.wait();
}

task<> Engine::Impl::release_runtime(ContainerPtr container) {
  container->attachable = false;
  try {
    co_await parts.runtime.remove(container->id());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) throw;
    log::warn("container {}: releasing its processes: {}", container->name(), error.message());
  }
}

}  // namespace gantry::engine
