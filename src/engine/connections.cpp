#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "container_files.h"
#include "gantry/base/files.h"
#include "gantry/base/log.h"
#include "impl.h"

// Networks of a container that exists. The row says what is wanted, with a mark while the kernel does not follow yet;
// recovery looks for the mark. The endpoint's own row goes in the same transaction, so that the network module and the
// engine never disagree.
namespace gantry::engine {
namespace {

bool is_live(const Container& container) { return container.run != nullptr && !container.run->exit; }

Fd netns_of(std::int64_t pid) {
  auto path = "/proc/" + std::to_string(pid) + "/ns/net";
  auto out = open_file(path, O_RDONLY);
  struct stat inside {
  }, own{};
  bool known = ::fstat(out.get(), &inside) == 0 && ::stat("/proc/self/ns/net", &own) == 0;
  if (!known || inside.st_ino == own.st_ino)
    throw Error(ErrorKind::unavailable, "the container's network namespace is gone", "see whether it still runs");
  return out;
}

bool is_named(const NetworkAttachment& attachment, const network::NetworkInfo& network) {
  const auto& name = attachment.network;
  bool by_prefix = name.size() >= 12 && network.id.str().starts_with(name);
  return name == network.spec.name || by_prefix ||
         (name == network::kDockersDefault && network.spec.name == kDefaultNetwork);
}

struct Files {
  std::filesystem::path root;
  ContainerInfo info;
  std::optional<std::string> resolv_before;  ///< unset: not known
  std::string resolv;
};

// Into the files that are there: the container has them mounted.
void follow(const Files& files) {
  auto hosts = read_file_if_exists(files.root / "hosts").value_or("");
  auto changed = hosts_changed(hosts, files.info, files.info.addresses);
  if (changed != hosts) write_file(files.root / "hosts", changed);
  auto resolv = read_file_if_exists(files.root / "resolv.conf").value_or("");
  // One that somebody has changed inside is left alone.
  bool own = !files.resolv_before || resolv == resolv_text(files.info.spec, *files.resolv_before);
  auto wanted = resolv_text(files.info.spec, files.resolv);
  if (own && wanted != resolv) write_file(files.root / "resolv.conf", wanted);
}

}  // namespace

Event Engine::Impl::network_event(const Container& container, std::string action, const NetworkAddress& address) const {
  Event out;
  out.time = now();
  out.type = "network";
  out.action = std::move(action);
  out.id = address.network_id.str();
  out.name = address.network;
  out.attributes["container"] = container.id().str();
  out.attributes["type"] = "bridge";
  return out;
}

std::string Engine::Impl::usual_resolv(const ContainerInfo& info) const {
  return info.addresses.empty() ? std::string() : parts.networks.resolv_conf(info.id);
}

void Engine::Impl::require_connectable(const ContainerInfo& info, const network::NetworkInfo& network) const {
  const auto& mode = info.spec.namespaces.network;
  if (network.spec.driver == "host" || (mode && mode->mode == NamespaceMode::host))
    throw Error(ErrorKind::invalid, "container cannot be disconnected from host network or connected to host network",
                "create it anew with the network it shall have");
  if (mode && mode->mode == NamespaceMode::container)
    throw Error(ErrorKind::invalid,
                "container sharing network namespace with another container or host cannot be connected to any other "
                "network",
                "connect the container whose network it has");
  if (network.spec.driver == "null" || info.spec.no_network)
    throw Error(ErrorKind::invalid,
                "container cannot be connected to multiple networks with one of the networks in private (none) mode",
                "create it anew without the network none");
}

task<> Engine::Impl::connect(ContainerId id, NetworkAttachment attachment) {
  auto container = find(id);
  auto guard = co_await container->mutex.lock();
  if (container->gone) throw Error(ErrorKind::not_found, "container " + container->name() + " does not exist");
  const auto& info = container->record.info;
  bool usual = attachment.network == kDefaultNetwork || attachment.network == network::kDockersDefault;
  network::NetworkInfo network;
  if (usual) {
    network = co_await parts.networks.ensure_default();
  } else {
    network = parts.networks.inspect(attachment.network);
  }
  require_connectable(info, network);
  auto attachments = attachments_of(info);
  for (const auto& known : attachments)
    if (is_named(known, network))
      throw Error(ErrorKind::conflict,
                  "endpoint with name " + container->name() + " already exists in network " + network.spec.name,
                  "disconnect it first to change its addresses or names");
  attachment.network = network.spec.name;
  if (is_live(*container)) {
    co_await connect_running(container, std::move(attachment));
    co_return;
  }
  attachments.push_back(std::move(attachment));
  amend(*container, [&](Record& record) { record.info.networks = std::move(attachments); });
}

task<> Engine::Impl::connect_running(ContainerPtr container, NetworkAttachment attachment) {
  step("connect: reserve");
  auto resolv = usual_resolv(container->record.info);
  auto spec = endpoint_spec(container->record.info, attachment);
  auto reservation = co_await parts.networks.plan_more(std::move(spec));
  auto address = to_address(reservation.endpoints().front());
  std::vector<Event> told;
  told.push_back(network_event(*container, "connect", address));
  step("connect: row");
  amend(
      *container,
      [&](Record& record) {
        auto attachments = attachments_of(record.info);
        attachments.push_back(std::move(attachment));
        record.info.networks = std::move(attachments);
        record.info.addresses.push_back(address);
        record.internals.network_changing = true;
      },
      std::move(told), [&](store::Transaction& t) { reservation.write(t); });
  reservation.keep();
  std::exception_ptr failure;
  try {
    step("connect: plug");
    co_await settle_network(container, resolv);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  if (is_cancellation(failure)) std::rethrow_exception(failure);  // the daemon is going, and its successor goes on
  auto network = address.network;
  co_await withdraw(container, std::move(address));
  throw to_error(failure).within("connect container " + container->name() + " to network " + network);
}

task<> Engine::Impl::withdraw(ContainerPtr container, NetworkAddress address) {
  std::vector<Event> told;
  told.push_back(network_event(*container, "disconnect", address));
  amend(
      *container,
      [&](Record& record) {
        auto attachments = attachments_of(record.info);
        std::erase_if(attachments, [&](const auto& one) { return one.network == address.network; });
        record.info.networks = std::move(attachments);
        std::erase_if(record.info.addresses, [&](const auto& one) { return one.network_id == address.network_id; });
        record.internals.network_changing = true;
      },
      std::move(told),
      [&](store::Transaction& t) { network::NetworkManager::erase_rows(t, container->id(), address.network_id); });
  co_await parts.networks.withdraw(container->id(), address.network_id);
  try {
    co_await settle_network(container, std::nullopt);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) throw;
    log::warn("container {}: {}", container->name(), error.message());
  }
}

task<> Engine::Impl::disconnect(ContainerId id, std::string name) {
  auto container = find(id);
  auto network = parts.networks.inspect(name);
  auto guard = co_await container->mutex.lock();
  if (container->gone) throw Error(ErrorKind::not_found, "container " + container->name() + " does not exist");
  require_connectable(container->record.info, network);
  auto attachments = attachments_of(container->record.info);
  auto removed = std::erase_if(attachments, [&](const auto& one) { return is_named(one, network); });
  if (removed == 0)
    throw Error(ErrorKind::not_found, "container " + id.str() + " is not connected to network " + network.spec.name,
                "see 'gantry inspect " + container->name() + "' for its networks");
  auto addresses = container->record.info.addresses;
  auto found = std::find_if(addresses.begin(), addresses.end(),
                            [&](const auto& address) { return address.network_id == network.id; });
  bool live = is_live(*container) && found != addresses.end();
  std::vector<Event> told;
  RecordStore::Also rows;
  if (live) {
    told.push_back(network_event(*container, "disconnect", *found));
    rows = [&](store::Transaction& t) { network::NetworkManager::erase_rows(t, id, network.id); };
    addresses.erase(found);
  }
  auto resolv = usual_resolv(container->record.info);
  step("disconnect: row");
  amend(
      *container,
      [&](Record& record) {
        record.info.networks = std::move(attachments);
        record.info.addresses = std::move(addresses);
        record.internals.network_changing = live;
      },
      std::move(told), rows);
  if (!live) co_return;
  step("disconnect: unplug");
  co_await parts.networks.withdraw(id, network.id);
  co_await settle_network(container, resolv);
}

task<> Engine::Impl::settle_network(ContainerPtr container, std::optional<std::string> resolv_before) {
  const auto& info = container->record.info;
  auto open = [pid = info.pid] { return netns_of(pid); };
  auto netns = co_await parts.pool.run(open);
  auto wanted = to_published(wanted_ports(container->record));
  auto address = parts.publish_address;
  auto ports = co_await parts.networks.settle(container->id(), netns, std::move(wanted), std::move(address));
  Files files;
  files.root = paths_of(container->id()).root;
  files.info = info;
  files.resolv_before = std::move(resolv_before);
  files.resolv = usual_resolv(info);
  auto write = [files] { follow(files); };
  co_await parts.pool.run(std::move(write));
  amend(*container, [&](Record& record) {
    record.info.ports = to_bindings(ports);
    record.internals.network_changing = false;
  });
}

task<> Engine::Impl::finish_network_change(ContainerPtr container) {
  auto guard = co_await container->mutex.lock();
  if (!is_live(*container) || !container->record.internals.network_changing) co_return;
  log::info("container {}: finishing the change of its networks", container->name());
  co_await settle_network(container, std::nullopt);
}

}  // namespace gantry::engine
