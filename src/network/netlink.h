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

/// One routing netlink socket, in the network namespace the calling thread is in when it is made. Blocking; every
/// failure is an Error that names the link.
class Netlink {
 public:
  Netlink();

  std::vector<Link> links();
  std::optional<int> index_of(const std::string& name);
  /// Makes a bridge that is up. Error conflict when the name is taken.
  void add_bridge(const std::string& name, const std::string& mac, int mtu);

  struct Veth {
    std::string host_name;
    int bridge = 0;
    int mtu = 1500;
    std::string peer_name;
    std::string peer_mac;
    int peer_netns = -1;
  };
  /// Makes the pair with its host end up and in the bridge, and its peer directly in the other namespace.
  void add_veth(const Veth& veth);
  /// A link that is gone already is fine.
  void remove_link(const std::string& name);
  void set_up(int index);
  void set_master(int index, int bridge);
  /// Lets a bridge port send a frame back where it came from: a container that reaches itself through a published port.
  void set_hairpin(const std::string& name);
  /// An address that is there already is fine. IPv6 addresses are used at once (no duplicate address detection).
  void add_address(int index, const Address& address, int prefix);
  void add_default_route(int index, const Address& gateway);
  /// Every address and route except default routes, link-local and multicast.
  std::vector<UsedSubnet> used_subnets();
  /// The MTU of the link that the default route leaves by; 1500 without one.
  int default_mtu();

 private:
  std::unique_ptr<nl_sock, void (*)(nl_sock*)> socket_;
};

}  // namespace gantry::network
