#pragma once

#include <string>
#include <vector>

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

/// One endpoint as it is made inside a container's network namespace.
struct Plug {
  std::string bridge;
  EndpointRecord endpoint;
  int prefix4 = 24;
  int prefix6 = 64;
  std::optional<Address> route4;  ///< default route's gateway
  std::optional<Address> route6;
};
void plug_endpoint(const Plug& plug, int mtu, int netns);
/// Brings `lo` up inside.
void raise_loopback(int netns);
/// Puts an existing host end back into its bridge, for a bridge that had to be made again.
void adopt_veth(const std::string& veth, const std::string& bridge);

}  // namespace gantry::network
