#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "address.h"

struct nl_sock;
struct rtnl_link;

namespace gantry::network {

struct Link {
  int index = 0;
  int master = 0;  ///< index of the bridge it is a port of; 0: none
  std::string name;
};

/// A network that an address or route of the host occupies, and the link it belongs to.
struct UsedSubnet {
  Subnet subnet;
  int link = 0;
};

/// One routing netlink socket for what needs lists or is done rarely; see RouteBatch for the rest. It is in the network
/// namespace the calling thread is in when it is made. Blocking; every failure is an Error that names the link.
class Netlink {
 public:
  Netlink();

  std::vector<Link> links();
  std::optional<int> index_of(const std::string& name);
  /// Makes a bridge that is up. Error conflict when the name is taken.
  void add_bridge(const std::string& name, const std::string& mac, int mtu);

  /// A link that is gone already is fine.
  void remove_link(const std::string& name);
  void set_up(int index);
  void set_master(int index, int bridge);
  /// An address that is there already is fine. IPv6 addresses are used at once (no duplicate address detection).
  void add_address(int index, const Address& address, int prefix);
  /// Every address and route except default routes, link-local and multicast.
  std::vector<UsedSubnet> used_subnets();
  /// The MTU of the link that the default route leaves by; 1500 without one.
  int default_mtu();

 private:
  std::unique_ptr<nl_sock, void (*)(nl_sock*)> socket_;
};

}  // namespace gantry::network
