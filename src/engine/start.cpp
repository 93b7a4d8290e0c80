#include <algorithm>

#include "container_files.h"
#include "gantry/base/files.h"
#include "gantry/base/log.h"
#include "impl.h"

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

std::vector<NetworkAttachment> attachments_of(const ContainerSpec& spec) {
  if (spec.no_network) return {};
  if (!spec.networks.empty()) return spec.networks;
  return {NetworkAttachment{.network = kDefaultNetwork}};
}

std::vector<std::string> dns_names(const ContainerInfo& info, const NetworkAttachment& attachment) {
  std::vector<std::string> out = {info.spec.name, short_id(info.id)};
  if (!info.spec.hostname.empty()) out.push_back(info.spec.hostname);
  out.insert(out.end(), attachment.aliases.begin(), attachment.aliases.end());
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

NetworkAddress to_address(const network::EndpointInfo& endpoint, std::vector<std::string> names) {
  NetworkAddress out;
  out.network = endpoint.network;
  out.ipv4 = endpoint.ipv4;
  out.ipv6 = endpoint.ipv6;
  out.gateway = endpoint.gateway;
  out.mac = endpoint.mac;
  out.aliases = std::move(names);
  return out;
}

struct SpareDirectory {
  WarmPool& pool;
  std::filesystem::path directory;
  ~SpareDirectory() { pool.spare(std::move(directory)); }
};

std::vector<NetworkAddress> addresses_of(const ContainerInfo& info, const network::Reservation& reservation) {
  std::vector<NetworkAddress> out;
  auto attachments = attachments_of(info.spec);
  for (std::size_t i = 0; i < attachments.size(); ++i)
    out.push_back(to_address(reservation.endpoints().at(i), dns_names(info, attachments[i])));
  return out;
}

std::vector<PortBinding> ports_of(const network::Reservation& reservation) {
  std::vector<PortBinding> out;
  for (const auto& port : reservation.ports())
    out.push_back({port.host_ip, port.host_port, port.container_port, port.udp ? Protocol::udp : Protocol::tcp});
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
  if (reservation != nullptr) rows = [reservation](store::Transaction& t) { reservation->write(t); };
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
          record.info.addresses = addresses_of(record.info, *reservation);
          record.info.ports = ports_of(*reservation);
        }
        if (wanted == Wanted::by_user) internals.failures = 0;
        // Files are stored with the ids the container knows, so another range is as good as the last one.
        internals.id_slot = id_slot;
        internals.start_after_stop = false;
        internals.start_began = now();
        internals.boot_id = boot_id;
      },
      {}, rows);
}

task<> Engine::Impl::start_steps(ContainerPtr container, Wanted wanted, bool* executing) {
  auto id = container->id();
  step(*container, "start: volumes");
  auto volumes = co_await prepare_volumes(container);
  step(*container, "start: reserve");
  auto permit = co_await starts.acquire();
  Warm ready = take_warm(container->record).value_or(Warm{});
  SpareDirectory spare{warm, ready.directory};
  auto reservation = co_await reserve_network(container, &ready);
  step(*container, "start: row");
  auto id_slot = ready.standby ? std::optional(ready.id_slot->number()) : container->record.internals.id_slot;
  commit_start(*container, wanted, reservation ? &*reservation : nullptr, id_slot);
  if (reservation) reservation->keep();
  step(*container, "start: plan");
  auto plan = plan_start(container, std::move(volumes), ready, executing);

  // Side by side: the namespaces are there already, and the disk need not be waited for before the program runs.
  step(*container, "start: create");
  runtime::Created created;
  std::vector<task<>> parallel;
  parallel.push_back(create_runtime(id, std::move(plan), &created));
  parallel.push_back(durable());
  if (ready.standby) parallel.push_back(plug(container, ready.standby->netns().duplicate()));
  co_await all(std::move(parallel));
  *executing = false;
  step(*container, "start: attach");
  co_await connect_sessions(container);
  step(*container, "start: plug");
  if (!ready.standby) co_await plug(container, std::move(created.netns));
  ready = {};

  step(*container, "start: execute");
  *executing = true;
  co_await parts.runtime.start(id);
  *executing = false;
  step(*container, "start: running");
  container->shim_trace = parts.runtime.trace(id);
  adopt_running(container, created);
}

task<> Engine::Impl::create_runtime(ContainerId id, std::function<runtime::Plan()> plan, runtime::Created* created) {
  *created = co_await parts.runtime.create(std::move(id), std::move(plan));
}

task<> Engine::Impl::start_failed(ContainerPtr container, Wanted wanted, State before, Error failure, bool executing) {
  container->attachable = false;
  co_await release_network(container);
  co_await release_runtime(container);
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
  bool usable = record.internals.id_slot && !record.info.spec.no_network && record.info.spec.runtime != "crun";
  return usable ? warm.take() : std::nullopt;
}

task<std::optional<network::Reservation>> Engine::Impl::reserve_network(ContainerPtr container, Warm* warm_start) {
  const auto& info = container->record.info;
  if (info.spec.no_network) co_return std::nullopt;
  network::ReservationSpec wanted;
  wanted.container = info.id;
  wanted.link = std::exchange(warm_start->link, std::nullopt);
  for (auto& attachment : attachments_of(info.spec)) {
    network::EndpointSpec endpoint;
    endpoint.network = attachment.network;
    endpoint.names = dns_names(info, attachment);
    endpoint.ipv4 = attachment.ipv4;
    endpoint.ipv6 = attachment.ipv6;
    endpoint.interface = "eth" + std::to_string(wanted.endpoints.size());
    endpoint.default_route = wanted.endpoints.empty();
    wanted.endpoints.push_back(std::move(endpoint));
  }
  for (const auto& port : info.spec.ports)
    wanted.ports.push_back({port.host_ip.empty() ? parts.publish_address : port.host_ip, port.host_port,
                            port.container_port, port.protocol == Protocol::udp});
  auto reservation = co_await parts.networks.plan(std::move(wanted));
  co_return std::optional<network::Reservation>(std::move(reservation));
}

std::function<runtime::Plan()> Engine::Impl::plan_start(ContainerPtr container,
                                                        std::map<std::string, std::string> volumes, const Warm& ready,
                                                        bool* executing) {
  const auto& info = container->record.info;
  auto resolv = !info.spec.dns.empty()   ? resolv_text(info.spec.dns)
                : info.addresses.empty() ? std::string()
                                         : parts.networks.resolv_conf(container->id());
  return [this, container, volumes, resolv, made = ready.directory, standby = ready.standby, executing] {
    PlanInputs inputs;
    inputs.paths = paths_of(container->id());
    adopt_directories(made, inputs.paths.root);
    inputs.layers = layer_paths(container->record);
    inputs.volume_paths = volumes;
    inputs.user = look_up_user(*container, container->record.internals.resolved.user);
    inputs.capabilities = capabilities;
    write_container_files(inputs.paths.root, container->record.info, container->record.info.addresses, resolv);
    make_directories(inputs.paths.state(), 0700);
    auto plan = make_plan(container->record, inputs);
    plan.standby = standby;
    *executing = true;
    return plan;
  };
}

task<> Engine::Impl::connect_sessions(ContainerPtr container) {
  while (!container->attaching.empty()) {
    auto pending = container->attaching.front();
    container->attaching.erase(container->attaching.begin());
    if (pending.use_count() == 1) continue;  // whoever wanted it went away
    auto session = co_await parts.runtime.attach(container->id());
    pending->bind(std::move(session));
  }
  container->attachable = true;
  if (container->record.info.spec.tty && container->terminal)
    co_await parts.runtime.resize(container->id(), container->terminal->rows, container->terminal->columns);
}

task<> Engine::Impl::plug(ContainerPtr container, Fd netns) {
  if (container->record.info.spec.no_network) {
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
