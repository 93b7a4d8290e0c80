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

}  // namespace

task<> Engine::Impl::start(ContainerId id) {
  auto container = find(id);
  auto guard = co_await container->mutex.lock();
  if (container->state() == State::running) co_return;
  call_off_back_off(*container);
  co_await start_locked(container, Wanted::by_user);
}

task<> Engine::Impl::start_locked(ContainerPtr container, Wanted wanted) {
  auto before = container->state();
  step("start: row");
  commit(*container, Transition::start, [&](Record& record) {
    auto& internals = record.internals;
    record.info.error.clear();
    record.info.stopped_by_user = false;
    record.info.restart_count = wanted == Wanted::by_user ? 0 : record.info.restart_count + 1;
    if (wanted == Wanted::by_user) internals.failures = 0;
    internals.start_after_stop = false;
    internals.start_began = now();
    internals.boot_id = boot_id;
  });
  bool executing = false;
  std::exception_ptr failure;
  try {
    co_await start_steps(container, &executing);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) co_await start_failed(container, wanted, before, to_error(failure), executing);
}

task<> Engine::Impl::start_steps(ContainerPtr container, bool* executing) {
  auto id = container->id();
  step("start: volumes");
  auto volumes = co_await prepare_volumes(container);
  step("start: reserve");
  auto addresses = co_await reserve_networks(container);
  step("start: plan");
  auto plan = co_await plan_start(container, std::move(volumes), addresses);

  step("start: create");
  *executing = true;
  auto created = co_await parts.runtime.create(std::move(plan));
  *executing = false;
  step("start: attach");
  co_await connect_sessions(container);
  step("start: plug");
  co_await plug(container, &created);
  step("start: publish");
  auto ports = co_await publish_ports(container);
  auto pid = static_cast<std::int64_t>(created.pid);
  commit(*container, Transition::prepared, [&](Record& record) {
    record.info.addresses = addresses;
    record.info.ports = ports;
    record.info.pid = pid;
  });

  step("start: execute");
  *executing = true;
  co_await parts.runtime.start(id);
  *executing = false;
  step("start: running");
  adopt_running(container, pid);
}

task<> Engine::Impl::start_failed(ContainerPtr container, Wanted wanted, State before, Error failure, bool executing) {
  container->attachable = false;
  co_await release_network(container);
  co_await release_runtime(container);
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

task<> Engine::Impl::ensure_default_network() {
  auto guard = co_await network_mutex.lock();
  for (const auto& info : parts.networks.list())
    if (info.spec.name == kDefaultNetwork) co_return;
  network::NetworkSpec spec;
  spec.name = kDefaultNetwork;
  co_await parts.networks.create(std::move(spec));
}

task<std::vector<NetworkAddress>> Engine::Impl::reserve_networks(ContainerPtr container) {
  const auto& info = container->record.info;
  std::vector<NetworkAddress> out;
  for (auto& attachment : attachments_of(info.spec)) {
    if (attachment.network == kDefaultNetwork) co_await ensure_default_network();
    auto names = dns_names(info, attachment);
    network::EndpointSpec endpoint;
    endpoint.container = info.id;
    endpoint.network = attachment.network;
    endpoint.names = names;
    endpoint.ipv4 = attachment.ipv4;
    endpoint.ipv6 = attachment.ipv6;
    endpoint.interface = "eth" + std::to_string(out.size());
    endpoint.default_route = out.empty();
    auto reserved = co_await parts.networks.reserve(std::move(endpoint));
    out.push_back(to_address(reserved, std::move(names)));
  }
  co_return out;
}

task<runtime::Plan> Engine::Impl::plan_start(ContainerPtr container, std::map<std::string, std::string> volumes,
                                             std::vector<NetworkAddress> addresses) {
  const auto& spec = container->record.info.spec;
  auto resolv = !spec.dns.empty()   ? resolv_text(spec.dns)
                : addresses.empty() ? std::string()
                                    : parts.networks.resolv_conf(container->id());
  container->user = co_await user_of(container, container->record.internals.resolved.user);
  auto plan = [this, container, volumes, addresses, resolv] {
    PlanInputs inputs;
    inputs.paths = paths_of(container->id());
    inputs.layers = layer_paths(container->record);
    inputs.volume_paths = volumes;
    inputs.user = *container->user;
    inputs.capabilities = capabilities;
    write_container_files(inputs.paths.root, container->record.info, addresses, resolv);
    make_directories(inputs.paths.state(), 0700);
    return make_plan(container->record, inputs);
  };
  co_return co_await parts.pool.run(std::move(plan));
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

task<> Engine::Impl::plug(ContainerPtr container, runtime::Created* created) {
  if (container->record.info.spec.no_network) {
    co_await parts.networks.plug_loopback(created->netns);
  } else {
    co_await parts.networks.plug(container->id(), created->netns);
  }
}

task<std::vector<PortBinding>> Engine::Impl::publish_ports(ContainerPtr container) {
  std::vector<network::PublishedPort> wanted;
  for (const auto& port : container->record.info.spec.ports)
    wanted.push_back({port.host_ip.empty() ? parts.publish_address : port.host_ip, port.host_port, port.container_port,
                      port.protocol == Protocol::udp});
  std::vector<PortBinding> out;
  if (wanted.empty()) co_return out;
  auto published = co_await parts.networks.publish(container->id(), std::move(wanted));
  for (const auto& port : published)
    out.push_back({port.host_ip, port.host_port, port.container_port, port.udp ? Protocol::udp : Protocol::tcp});
  co_return out;
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
