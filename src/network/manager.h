#pragma once

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

namespace gantry::network {

/// The one owner of the module's state. `records` mirrors the store; every change is written first, then made in the
/// kernel, then in memory. One operation at a time (`turn`), except plugging, which touches only its own container.
struct NetworkManager::Impl {
  Impl(asio::any_io_executor executor, WorkerPool& workers, store::Database& db, std::string instance_name);

  // networks.cpp
  task<NetworkInfo> create(NetworkSpec spec);
  task<NetworkInfo> create_in_turn(NetworkSpec spec);
  task<> remove(std::string name_or_id);
  NetworkInfo info_of(const NetworkRecord& network) const;
  const NetworkRecord* find(const std::string& name_or_id) const;
  const NetworkRecord& require(const std::string& name_or_id) const;
  task<NetworkRecord> lay_out(NetworkSpec spec);
  task<bool> try_build(NetworkRecord network);
  task<> dismantle(NetworkRecord network);
  std::string free_bridge_name() const;

  // endpoints.cpp
  task<EndpointInfo> reserve(EndpointSpec spec);
  task<> plug(ContainerId container, Fd netns);
  task<> unplug(ContainerId container);
  task<> unplug_in_turn(ContainerId container);
  task<> release(ContainerId container);
  task<> release_in_turn(ContainerId container);
  std::vector<const EndpointRecord*> endpoints_of(const ContainerId& container) const;
  /// The endpoint whose gateway is the container's way out, and which published ports lead to; null: none.
  const EndpointRecord* way_out(const ContainerId& container) const;
  EndpointRecord lease(const NetworkRecord& network, const EndpointSpec& spec) const;
  EndpointInfo info_of(const EndpointRecord& endpoint) const;
  std::string resolv_conf(const ContainerId& container);
  void mark_plugged(const ContainerId& container, bool plugged);

  // publications.cpp
  task<std::vector<PublishedPort>> publish(ContainerId container, std::vector<PublishedPort> ports);
  task<> unpublish(ContainerId container);
  std::vector<PortForward> forwards_of(const PublicationRecord& publication) const;
  void require_free(const PublishedPort& port) const;

  // recovery.cpp
  task<> recover(std::vector<ContainerId> alive);
  task<> remove_all();
  task<> ensure_forwarding();
  task<> give_back_forwarding();
  task<> ensure_table();
  task<> rebuild_table();
  /// Applies a change that `records` holds already. When it fails, somebody has changed our table (a flush of the whole
  /// ruleset): made anew from the records it is right again.
  task<> change_table(std::string commands);
  void serve_names();
  FirewallState firewall_state() const;
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
  Nftables nftables;
  DnsServer dns;
  std::map<ContainerId, std::vector<PortHold>> holds;
  Subnet pool6;
  bool guard = false;        ///< forwarding on the host was switched on by us
  bool table_ready = false;  ///< the table is in the kernel and equal to `records`
  int mtu = 0;
  std::int64_t next_position = 1;
};

}  // namespace gantry::network
