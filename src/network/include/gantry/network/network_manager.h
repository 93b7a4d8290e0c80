#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/base/fd.h"
#include "gantry/base/ids.h"
#include "gantry/base/time.h"
#include "gantry/store/store.h"

/// The network module owns bridges, addresses, veth pairs, the nftables table of this instance, published ports and
/// the DNS answers of containers. Several instances live side by side on a host: every name carries the instance's id
/// ("gt<instance>-..."), and subnets are chosen so that they overlap nothing that the host or another instance uses.
///
/// Nothing here knows containers beyond an id and names: the engine attaches and detaches endpoints.
namespace gantry::network {

store::Schema schema();

struct NetworkSpec {
  std::string name;
  std::string project = "default";
  std::map<std::string, std::string> labels;
  bool internal = false;              ///< no way out of the network and no published ports
  bool ipv6 = true;                   ///< a unique local /64 beside the IPv4 subnet
  std::optional<std::string> subnet;  ///< "10.5.0.0/24"; unset: chosen
  std::optional<std::string> gateway;
};
BOOST_DESCRIBE_STRUCT(NetworkSpec, (), (name, project, labels, internal, ipv6, subnet, gateway))

struct NetworkInfo {
  NetworkId id;
  NetworkSpec spec;
  std::string bridge;  ///< the link's name on the host
  std::string subnet;
  std::string gateway;
  std::string subnet6;
  std::string gateway6;
  Timestamp created{};
  int endpoints = 0;
};
BOOST_DESCRIBE_STRUCT(NetworkInfo, (), (id, spec, bridge, subnet, gateway, subnet6, gateway6, created, endpoints))

struct PublishedPort {
  std::string host_ip;          ///< empty: every address, IPv4 and IPv6
  std::uint16_t host_port = 0;  ///< 0: a free one is chosen
  std::uint16_t container_port = 0;
  bool udp = false;
};

struct EndpointSpec {
  ContainerId container;
  std::string network;             ///< name or id
  std::vector<std::string> names;  ///< what DNS answers with this endpoint's address; several endpoints may share one
  std::optional<std::string> ipv4;
  std::optional<std::string> ipv6;
  std::string interface;  ///< name inside the container, "eth0"
  bool default_route = true;
};

struct EndpointInfo {
  std::string network;  ///< its name
  std::string ipv4;     ///< without prefix
  std::string ipv6;
  std::string gateway;
  std::string gateway6;
  std::string mac;
};

/// All tasks run on the control thread and use the pool for what blocks. Endpoints and leases are in the store, so
/// that a restart of the daemon changes nothing for running containers.
class NetworkManager {
 public:
  NetworkManager(asio::any_io_executor executor, WorkerPool& pool, store::Database& database, std::string instance);
  ~NetworkManager();

  /// Makes kernel state equal to the store after a start: bridges, rules, ports of endpoints, DNS listeners; removes
  /// links, rules and tables of this instance that nothing owns. Endpoints not in `alive` are released.
  task<> recover(std::vector<ContainerId> alive);
  /// Stops DNS. Links and rules stay, so that containers go on working without the daemon.
  task<> close();
  /// For an instance that is wiped: removes the table, all bridges, and restores what was changed on the host.
  task<> remove_all();

  /// Error conflict when the name is taken, or a wanted subnet overlaps.
  task<NetworkInfo> create(NetworkSpec spec);
  /// Error conflict while endpoints are attached.
  task<> remove(std::string name_or_id);
  NetworkInfo inspect(const std::string& name_or_id) const;
  std::vector<NetworkInfo> list() const;

  /// Leases addresses and makes DNS names answer only after `plug`. Reserves nothing in the kernel yet.
  /// Error exhausted when the subnet is full, conflict when a wanted address is taken.
  task<EndpointInfo> reserve(EndpointSpec spec);
  /// Makes the veth pair, moves one end into `netns`, sets addresses and routes, brings `lo` up, publishes names.
  task<> plug(ContainerId container, const Fd& netns);
  /// For a container without any network: brings `lo` up.
  task<> plug_loopback(const Fd& netns);
  /// Publishes ports of a plugged container; returns them with the chosen host ports. Error conflict names the port
  /// and, where known, who holds it. No user-space proxy; the client's source address is kept.
  task<std::vector<PublishedPort>> publish(ContainerId container, std::vector<PublishedPort> ports);
  /// Undoes plug, publish and the names of all the container's endpoints; leases stay until `release`.
  task<> unplug(ContainerId container);
  /// Gives the addresses back. Idempotent.
  task<> release(ContainerId container);

  /// For /etc/resolv.conf in the container: the nameserver addresses and search line of its first network.
  std::string resolv_conf(const ContainerId& container) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::network
