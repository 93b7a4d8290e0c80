#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/ids.h"
#include "gantry/base/time.h"

/// The words of the network module: what is wanted of networks and endpoints, and what they have become.
namespace gantry::network {

/// The network of containers that name none; made when it is first wanted. Docker's clients know it as `bridge`.
inline constexpr const char* kDefaultNetwork = "default";
inline constexpr const char* kDockersDefault = "bridge";
/// Names of what has no bridge: the host's own network, and loopback only.
inline constexpr const char* kHostNetwork = "host";
inline constexpr const char* kNoNetwork = "none";

/// One subnet of a network, as wanted. A bridge has one IPv4 and one IPv6 subnet at most.
struct IpamPool {
  std::string subnet;                                ///< "10.5.0.0/24" or "fd00:5::/64"
  std::string gateway;                               ///< empty: the first address
  std::string ip_range;                              ///< where addresses are chosen from; empty: the whole subnet
  std::map<std::string, std::string> aux_addresses;  ///< by name; of other machines, never given to a container
};
BOOST_DESCRIBE_STRUCT(IpamPool, (), (subnet, gateway, ip_range, aux_addresses))

/// Options are those of Docker's bridge driver (docs/network.md); what is not known is kept and has no effect.
struct NetworkSpec {
  std::string name;
  std::string project = "default";
  std::map<std::string, std::string> labels;
  bool internal = false;              ///< no way out of the network and no published ports
  bool ipv6 = true;                   ///< a /64 beside the IPv4 subnet; unique local unless `ipam` names one
  std::optional<std::string> subnet;  ///< "10.5.0.0/24"; unset: chosen. With `gateway`, short for an entry of `ipam`
  std::optional<std::string> gateway;
  std::string driver = "bridge";
  std::map<std::string, std::string> options;
  std::vector<IpamPool> ipam;
  std::map<std::string, std::string> ipam_options;
  bool attachable = false;  ///< kept for who asks; every network is
  bool ingress = false;     ///< kept for who asks
};
BOOST_DESCRIBE_STRUCT(NetworkSpec, (),
                      (name, project, labels, internal, ipv6, subnet, gateway, driver, options, ipam, ipam_options,
                       attachable, ingress))

struct NetworkInfo {
  NetworkId id;
  NetworkSpec spec;
  std::string bridge;  ///< the link's name on the host; empty: `host` and `none`
  std::string subnet;
  std::string gateway;
  std::string subnet6;
  std::string gateway6;
  Timestamp created{};
  int endpoints = 0;
};
BOOST_DESCRIBE_STRUCT(NetworkInfo, (), (id, spec, bridge, subnet, gateway, subnet6, gateway6, created, endpoints))

struct PublishedPort {
  /// Asked for: empty is the network's or the daemon's default, "*" every address. Published: empty is every address.
  std::string host_ip;
  std::uint16_t host_port = 0;  ///< 0: a free one is chosen
  std::uint16_t container_port = 0;
  bool udp = false;
  std::uint16_t range_first = 0;  ///< with `host_port` 0: it is chosen from here
  std::uint16_t range_last = 0;   ///< to here; 0: from the kernel's own range
};

struct EndpointSpec {
  ContainerId container;
  std::string network;             ///< name or id
  std::vector<std::string> names;  ///< what DNS answers with this endpoint's address; several endpoints may share one
  std::optional<std::string> ipv4;
  std::optional<std::string> ipv6;
  std::optional<std::string> mac;
  std::string interface;  ///< its name inside the container; empty: eth and the lowest number that is free
  int priority = 0;       ///< the endpoint with the highest is the way out; of equal ones the first reserved
};

struct EndpointInfo {
  std::string id;  ///< 64 hexadecimal digits
  ContainerId container;
  NetworkId network_id;
  std::string network;  ///< its name
  std::string interface;
  std::string ipv4;  ///< without prefix
  std::string ipv6;
  int prefix4 = 0;
  int prefix6 = 0;
  std::string gateway;
  std::string gateway6;
  std::string mac;
  std::vector<std::string> names;
  bool plugged = false;  ///< its link is up
};

}  // namespace gantry::network
