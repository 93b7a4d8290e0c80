#include "gantry/network/network_manager.h"

#include <algorithm>
#include <cctype>

#include "manager.h"
#include "subnet_pool.h"

namespace gantry::network {
namespace {

// Four characters leave eleven for "gt", "-" and a number within the kernel's fifteen.
void require_valid_instance(const std::string& instance) {
  bool valid = !instance.empty() && instance.size() <= 4 && std::all_of(instance.begin(), instance.end(), [](char c) {
    return std::islower(static_cast<unsigned char>(c)) || std::isdigit(static_cast<unsigned char>(c));
  });
  if (!valid)
    throw Error(ErrorKind::invalid, "instance '" + instance + "' is not one to four lower-case letters and digits");
}

Subnet own_prefix(store::Transaction& transaction) {
  constexpr std::string_view kKey = "ipv6-prefix";
  if (auto text = setting(transaction, kKey)) return parse_subnet("stored IPv6 prefix", *text);
  auto made = random_unique_local();
  set_setting(transaction, kKey, made.text());
  return made;
}

// Docker's clients list them and look at them by id, so they have one that stays.
NetworkInfo fixed_network(store::Transaction& transaction, const char* name, const char* driver) {
  auto key = std::string("id-of-") + name;
  auto id = setting(transaction, key);
  if (!id) {
    id = random_hex(64);
    set_setting(transaction, key, *id);
    set_setting(transaction, key + "-since", to_rfc3339(now()));
  }
  NetworkInfo out;
  out.id = NetworkId(*id);
  out.spec.name = name;
  out.spec.driver = driver;
  out.spec.ipv6 = false;
  out.created = from_rfc3339(setting(transaction, key + "-since").value_or("")).value_or(Timestamp{});
  return out;
}

}  // namespace

NetworkManager::Impl::Impl(asio::any_io_executor control, WorkerPool& workers, store::Database& db,
                           std::string instance_name)
    : executor(control),
      pool(workers),
      database(db),
      instance(std::move(instance_name)),
      turn(control),
      rules_turn(control),
      dns(control, [this](const NetworkId& network, const Address& client) { return view_for(network, client); }),
      sweeper(control, workers) {
  require_valid_instance(instance);
  database.transaction([this](store::Transaction& transaction) {
    records = load(transaction);
    pool6 = own_prefix(transaction);
    predefined_networks.push_back(fixed_network(transaction, kHostNetwork, "host"));
    predefined_networks.push_back(fixed_network(transaction, kNoNetwork, "null"));
  });
}

task<> NetworkManager::Impl::close() {
  co_await dns.close();
  co_await sweeper.close();
}

NetworkManager::NetworkManager(asio::any_io_executor executor, WorkerPool& pool, store::Database& database,
                               std::string instance)
    : impl_(std::make_unique<Impl>(std::move(executor), pool, database, std::move(instance))) {}

NetworkManager::~NetworkManager() = default;

task<> NetworkManager::recover(std::vector<ContainerId> alive) { return impl_->recover(std::move(alive)); }
task<> NetworkManager::close() { return impl_->close(); }
task<> NetworkManager::remove_all() { return impl_->remove_all(); }
task<NetworkInfo> NetworkManager::create(NetworkSpec spec) { return impl_->create(std::move(spec)); }
task<> NetworkManager::remove(std::string name_or_id) { return impl_->remove(std::move(name_or_id)); }

NetworkInfo NetworkManager::inspect(const std::string& name_or_id) const { return impl_->inspect(name_or_id); }

std::vector<NetworkInfo> NetworkManager::predefined() const { return impl_->predefined_networks; }

std::vector<NetworkInfo> NetworkManager::list() const {
  std::vector<NetworkInfo> out;
  for (const auto& [id, network] : impl_->records.networks) out.push_back(impl_->info_of(network));
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.spec.name < b.spec.name; });
  return out;
}

Reservation::Reservation(std::unique_ptr<State> state) : state_(std::move(state)) {}
Reservation::Reservation(Reservation&&) noexcept = default;
Reservation::~Reservation() {
  if (state_ && state_->undo) state_->undo();
}
const std::vector<EndpointInfo>& Reservation::endpoints() const { return state_->endpoints; }
const std::vector<PublishedPort>& Reservation::ports() const { return state_->ports; }
void Reservation::keep() noexcept { state_->undo = nullptr; }

void Reservation::write(store::Transaction& transaction) const {
  for (const auto& endpoint : state_->made) insert(transaction, endpoint);
  for (const auto& endpoint : state_->renamed) update_names(transaction, endpoint);
  if (state_->publications.empty()) return;
  erase_publications(transaction, state_->container);
  for (const auto& publication : state_->publications) insert(transaction, publication);
}

task<Reservation> NetworkManager::plan(ReservationSpec spec) { return impl_->plan(std::move(spec)); }
task<EndpointInfo> NetworkManager::reserve(EndpointSpec spec) { return impl_->reserve(std::move(spec)); }

task<> NetworkManager::plug(ContainerId container, const Fd& netns) {
  return impl_->plug(std::move(container), netns.duplicate());
}

task<> NetworkManager::plug_loopback(const Fd& netns) {
  auto own = std::make_shared<Fd>(netns.duplicate());
  return impl_->pool.run([own] { raise_loopback(own->get()); });
}

task<std::vector<PublishedPort>> NetworkManager::publish(ContainerId container, std::vector<PublishedPort> ports) {
  return impl_->publish(std::move(container), std::move(ports));
}

task<> NetworkManager::unplug(ContainerId container) { return impl_->unplug(std::move(container)); }

void NetworkManager::erase_rows(store::Transaction& transaction, const ContainerId& container) {
  erase_publications(transaction, container);
  erase_endpoints(transaction, container);
}

void NetworkManager::erase_rows(store::Transaction& transaction, const ContainerId& container,
                                const NetworkId& network) {
  erase_endpoint(transaction, container, network);
}

task<NetworkInfo> NetworkManager::ensure_default() { return impl_->ensure_default(); }
task<std::vector<NetworkInfo>> NetworkManager::prune(std::function<bool(const NetworkInfo&)> unwanted) {
  return impl_->prune(std::move(unwanted));
}
task<Reservation> NetworkManager::plan_more(EndpointSpec spec) { return impl_->plan_more(std::move(spec)); }
task<> NetworkManager::withdraw(ContainerId container, NetworkId network) {
  return impl_->withdraw(std::move(container), std::move(network));
}
task<std::vector<PublishedPort>> NetworkManager::settle(ContainerId container, const Fd& netns,
                                                        std::vector<PublishedPort> wanted,
                                                        std::string publish_address) {
  return impl_->settle(std::move(container), netns.duplicate(), std::move(wanted), std::move(publish_address));
}

std::vector<EndpointInfo> NetworkManager::endpoints_of(const ContainerId& container) const {
  std::vector<EndpointInfo> out;
  for (const auto* endpoint : impl_->records.endpoints.of(container)) out.push_back(impl_->info_of(*endpoint));
  return out;
}

std::vector<EndpointInfo> NetworkManager::endpoints_of(const NetworkId& network) const {
  std::vector<EndpointInfo> out;
  for (const auto& [position, endpoint] : impl_->records.endpoints)
    if (endpoint.network == network) out.push_back(impl_->info_of(endpoint));
  return out;
}

void NetworkManager::released(const ContainerId& container) { impl_->released(container); }
task<> NetworkManager::release(ContainerId container) { return impl_->release(std::move(container)); }
std::function<void(store::Transaction&)> NetworkManager::rename(const ContainerId& container,
                                                                const std::vector<std::vector<std::string>>& names) {
  auto& endpoints = impl_->records.endpoints;
  std::vector<EndpointRecord> renamed;
  const auto& own = endpoints.of(container);
  for (std::size_t i = 0; i < own.size() && i < names.size(); ++i) {
    endpoints.rename(*own[i], names[i]);
    renamed.push_back(*own[i]);
  }
  return [renamed = std::move(renamed)](store::Transaction& transaction) {
    for (const auto& endpoint : renamed) update_names(transaction, endpoint);
  };
}

task<WarmLink> NetworkManager::prepare_link(Fd netns) { return impl_->prepare_link(std::move(netns)); }
void NetworkManager::discard(WarmLink link) { impl_->sweeper.add(std::move(link.veth), {}); }
task<> NetworkManager::settled() { return impl_->sweeper.settled(); }
std::string NetworkManager::resolv_conf(const ContainerId& container) const { return impl_->resolv_conf(container); }

}  // namespace gantry::network
