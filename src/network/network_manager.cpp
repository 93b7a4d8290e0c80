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

NetworkInfo NetworkManager::inspect(const std::string& name_or_id) const {
  return impl_->info_of(impl_->require(name_or_id));
}

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

void NetworkManager::released(const ContainerId& container) { impl_->released(container); }
task<> NetworkManager::release(ContainerId container) { return impl_->release(std::move(container)); }
task<WarmLink> NetworkManager::prepare_link(Fd netns) { return impl_->prepare_link(std::move(netns)); }
void NetworkManager::discard(WarmLink link) { impl_->sweeper.add(std::move(link.veth), {}); }
task<> NetworkManager::settled() { return impl_->sweeper.settled(); }
std::string NetworkManager::resolv_conf(const ContainerId& container) const { return impl_->resolv_conf(container); }

}  // namespace gantry::network
