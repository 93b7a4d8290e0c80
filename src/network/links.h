#pragma once

#include <string>
#include <vector>

#include "gantry/network/network_manager.h"
#include "netlink.h"
#include "records.h"

/// Bridges and veth pairs as the records want them. Blocking: for pool threads, in the host's network namespace.
namespace gantry::network {

/// "gt<instance>-": every bridge of the instance starts with it.
std::string bridge_prefix(const std::string& instance);
/// "gv<instance>-": every host end of a veth pair starts with it.
std::string veth_prefix(const std::string& instance);

/// Makes the bridge, or adopts the one that is there, with its addresses and settings.
void ensure_bridge(const NetworkRecord& network, int mtu);
/// True when an address or route of another link overlaps a subnet of this network.
bool is_shared(const NetworkRecord& network);

/// Makes a veth pair whose peer is in the other namespace, with the settings a container's link has, and `lo` up there.
WarmLink make_link(const std::string& veth, const std::string& interface, int mtu, int netns);

/// One endpoint as it is made inside a container's network namespace.
struct Plug {
  std::string bridge;
  EndpointRecord endpoint;
  int prefix4 = 24;
  int prefix6 = 64;
  std::optional<Address> route4;  ///< default route's gateway
  std::optional<Address> route6;
  bool hairpin = false;   ///< ports will be published
  bool isolated = false;  ///< reaches no other container of its bridge
  int mtu = 0;            ///< of the link; 0: as it was made
};
/// Gives the pair its bridge, addresses and routes and brings it up.
void attach_link(const WarmLink& link, const Plug& plug);
/// Where packets go that are for no network of the container; without a gateway: nowhere.
struct WayOut {
  std::string interface;
  std::optional<Address> gateway4;
  std::optional<Address> gateway6;
};
/// In the place of what leads out of that namespace now.
void set_way_out(int netns, const WayOut& way);
/// See RouteBatch::set_hairpin.
void set_hairpin(const std::string& veth);
/// Brings `lo` up inside.
void raise_loopback(int netns);
/// Removes what is there of these links, in few steps for all. (The kernel takes tens of milliseconds for each step.)
void remove_links(const std::vector<std::string>& names);
/// Puts an existing host end back into its bridge, for a bridge that had to be made again.
struct Port {
  std::string veth;
  std::string bridge;
  bool isolated = false;
};
void adopt_ports(const std::vector<Port>& ports);

}  // namespace gantry::network
