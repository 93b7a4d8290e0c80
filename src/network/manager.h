#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "dns_server.h"
#include "firewall.h"
#include "gantry/network/network_manager.h"
#include "links.h"
#include "ports.h"
#include "records.h"
#include "sweeper.h"

namespace gantry::network {

/// The kernel's limit (BR_MAX_PORTS): port numbers have ten bits, and 0 is none.
inline constexpr std::size_t kBridgePorts = 1023;

struct Reservation::State {
  ContainerId container;
  std::vector<EndpointInfo> endpoints;
  std::vector<PublishedPort> ports;
  std::vector<EndpointRecord> made;
  std::vector<EndpointRecord> renamed;
  std::vector<PublicationRecord> publications;
  std::function<void()> undo;  ///< empty once kept
};

/// The one owner of the module's state. `records` mirrors the store, except for reservations that are not written yet
/// and what is being given back. Networks change one at a time (`turn`), and so do the rules (`rules_turn`); a
/// container's endpoints are changed by who works on that container.
struct NetworkManager::Impl {
  Impl(asio::any_io_executor executor, WorkerPool& workers, store::Database& db, std::string instance_name);
  task<> close();

  // networks.cpp
  task<NetworkInfo> create(NetworkSpec spec);
  task<NetworkInfo> create_in_turn(NetworkSpec spec);
  task<> remove(std::string name_or_id);
  task<NetworkInfo> ensure_default();
  task<std::vector<NetworkInfo>> prune(std::function<bool(const NetworkInfo&)> unwanted);
  task<> require_own_bridge(NetworkSpec spec);
  NetworkInfo info_of(const NetworkRecord& network) const;
  std::optional<NetworkInfo> predefined(const std::string& name_or_id) const;
  NetworkInfo inspect(const std::string& name_or_id) const;
  const NetworkRecord* find(const std::string& name_or_id) const;
  const NetworkRecord& require(const std::string& name_or_id) const;
  task<NetworkRecord> lay_out(NetworkSpec spec);
  task<bool> try_build(NetworkRecord network);
  task<> dismantle(NetworkRecord network);
  std::string free_bridge_name() const;

  // endpoints.cpp
  task<> plug(ContainerId container, Fd netns);
  task<> unplug(ContainerId container);
  void released(const ContainerId& container);
  task<> release(ContainerId container);
  task<WarmLink> prepare_link(Fd netns);
  std::vector<Plug> plugs_of(const ContainerId& container) const;
  /// Leaves the endpoint's link and addresses to the sweeper.
  void sweep(EndpointRecord& endpoint);
  /// The endpoint whose gateway is the container's way out, and which published ports lead to; null: none.
  const EndpointRecord* way_out(const ContainerId& container) const;
  EndpointInfo info_of(const EndpointRecord& endpoint) const;
  std::string resolv_conf(const ContainerId& container);

  // reservations.cpp
  task<Reservation> plan(ReservationSpec spec);
  task<EndpointInfo> reserve(EndpointSpec spec);
  task<> ensure_default_for(const std::vector<EndpointSpec>& endpoints);
  void plan_endpoints(ReservationSpec& spec, Reservation::State& state);
  EndpointRecord lease(const NetworkRecord& network, const EndpointSpec& spec) const;
  const NetworkRecord& require_ready(const std::string& name_or_id) const;
  void undo(const Reservation::State& state);

  void undo_endpoints(const Reservation::State& state);
  /// plan_endpoints, once more after the sweeper when no address is free before.
  task<> plan_when_swept(ReservationSpec* spec, Reservation::State* state);

  // changes.cpp
  task<Reservation> plan_more(EndpointSpec spec);
  task<> withdraw(ContainerId container, NetworkId network);
  task<std::vector<PublishedPort>> settle(ContainerId container, Fd netns, std::vector<PublishedPort> wanted,
                                          std::string publish_address);
  task<> plug_missing(ContainerId container, std::shared_ptr<Fd> netns);
  task<> settle_routes(ContainerId container, std::shared_ptr<Fd> netns);
  task<std::vector<PublishedPort>> settle_ports(ContainerId container, std::vector<PublishedPort> wanted);
  task<> close_ports(ContainerId container, NetworkId network);
  task<> lead_ports_to(ContainerId container, EndpointRecord outward);

  // publications.cpp
  task<std::vector<PublishedPort>> publish(ContainerId container, std::vector<PublishedPort> ports);
  /// Claims the ports in memory, and then on the host; both are undone by `unpublish`.
  std::vector<PublicationRecord> claim_ports(const ContainerId& container, const std::vector<PublishedPort>& ports);
  task<std::vector<PublicationRecord>> hold_ports(ContainerId container);
  /// Where ports are published that name no address: where the network says, or else `otherwise`.
  void name_addresses(const ContainerId& container, const std::string& otherwise,
                      std::vector<PublishedPort>& ports) const;
  /// Makes the rules lead to the claimed ports.
  task<> open_ports(ContainerId container);
  task<> unpublish(ContainerId container);
  bool has_ports(const ContainerId& container) const;
  std::vector<PortForward> forwards_of(const PublicationRecord& publication) const;
  void require_free(const PublishedPort& port) const;

  // recovery.cpp
  task<> recover(std::vector<ContainerId> alive);
  task<> remove_all();
  task<> ensure_forwarding();
  task<> give_back_forwarding();
  task<> ensure_table();
  task<> rebuild_table();
  task<> rebuild_in_turn();
  /// Applies a change that `records` holds already. When it fails, somebody has changed our table (a flush of the whole
  /// ruleset): made anew from the records it is right again.
  task<> change_table(std::string commands);
  void serve_names();
  FirewallState firewall_state() const;
  task<> release_gone(std::vector<ContainerId> alive);
  task<> sweep_links();
  task<> adopt_endpoints();

  // names.cpp
  DnsView view_for(const NetworkId& network, const Address& client) const;

  /// One store transaction on a pool thread. (Closures are named before they are awaited: g++ 12 destroys a temporary
  /// closure inside a co_await expression twice.)
  template <class F>
  task<> write(F body) {
    auto work = [this, body = std::move(body)]() mutable { database.transaction(body); };
    co_await pool.run(std::move(work));
  }
  /// One nftables transaction on a pool thread.
  task<> apply(std::string commands) {
    auto work = [this, commands = std::move(commands)] { nftables.run(commands); };
    co_await pool.run(std::move(work));
  }

  asio::any_io_executor executor;
  WorkerPool& pool;
  store::Database& database;
  std::string instance;
  Records records;
  AsyncMutex turn;
  AsyncMutex rules_turn;
  Nftables nftables;
  DnsServer dns;
  Sweeper sweeper;
  std::map<ContainerId, std::vector<PortHold>> holds;
  Subnet pool6;
  std::vector<NetworkInfo> predefined_networks;  ///< `host` and `none`
  bool guard = false;                            ///< forwarding on the host was switched on by us
  bool table_ready = false;                      ///< the table is in the kernel and equal to `records`
  int mtu = 0;
};

}  // namespace gantry::network
