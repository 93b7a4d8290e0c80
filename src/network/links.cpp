#include "links.h"

#include "gantry/base/error.h"
#include "netns.h"
#include "sysctl.h"

namespace gantry::network {
namespace {

void configure_inside(const Plug& plug) {
  Netlink inside;
  if (auto loopback = inside.index_of("lo")) inside.set_up(*loopback);
  const auto& endpoint = plug.endpoint;
  auto index = inside.index_of(endpoint.interface);
  if (!index) throw Error(ErrorKind::internal, "link " + endpoint.interface + " is not in the container's namespace");
  write_sysctl("ipv6/conf/" + endpoint.interface + "/accept_ra", "0");
  // Addresses come from leases, so a second of waiting for a duplicate finds nothing.
  write_sysctl("ipv6/conf/" + endpoint.interface + "/accept_dad", "0");
  inside.add_address(*index, endpoint.ipv4, plug.prefix4);
  inside.set_up(*index);
  if (endpoint.ipv6) inside.add_address(*index, *endpoint.ipv6, plug.prefix6);
  if (plug.route4) inside.add_default_route(*index, *plug.route4);
  if (plug.route6) inside.add_default_route(*index, *plug.route6);
}

// A port forwards, and a bridge without another port sends, only after the kernel has worked off the change of carrier,
// which it may put off for a second; a container's first packets would be lost. Asking for a link works it off at once
// (rtnl_getlink, Linux 6.9 and later), the port first because the bridge follows it.
void settle_carrier(Netlink& host, const Plug& plug) {
  host.index_of(plug.endpoint.veth);
  host.index_of(plug.bridge);
}

}  // namespace

std::string bridge_prefix(const std::string& instance) { return "gt" + instance + "-"; }
std::string veth_prefix(const std::string& instance) { return "gv" + instance + "-"; }

void ensure_bridge(const NetworkRecord& network, int mtu) {
  Netlink netlink;
  if (!netlink.index_of(network.bridge)) netlink.add_bridge(network.bridge, mac_for(network.gateway), mtu);
  int index = netlink.index_of(network.bridge).value_or(0);
  write_sysctl("ipv6/conf/" + network.bridge + "/accept_ra", "0");
  write_sysctl("ipv6/conf/" + network.bridge + "/accept_dad", "0");
  // Answers to clients on 127.0.0.1 come back through the bridge; the rules keep everything else away from loopback.
  write_sysctl("ipv4/conf/" + network.bridge + "/route_localnet", "1");
  netlink.add_address(index, network.gateway, network.v4.prefix);
  if (network.gateway6) netlink.add_address(index, *network.gateway6, network.v6->prefix);
  netlink.set_up(index);
}

bool is_shared(const NetworkRecord& network) {
  Netlink netlink;
  int own = netlink.index_of(network.bridge).value_or(0);
  for (const auto& used : netlink.used_subnets()) {
    if (used.link == own) continue;
    if (used.subnet.overlaps(network.v4) || (network.v6 && used.subnet.overlaps(*network.v6))) return true;
  }
  return false;
}

void plug_endpoint(const Plug& plug, int mtu, int netns) {
  Netlink host;
  auto bridge = host.index_of(plug.bridge);
  if (!bridge) throw Error(ErrorKind::unavailable, "bridge " + plug.bridge + " does not exist", "restart gantryd");
  host.remove_link(plug.endpoint.veth);
  host.add_veth({.host_name = plug.endpoint.veth,
                 .bridge = *bridge,
                 .mtu = mtu,
                 .peer_name = plug.endpoint.interface,
                 .peer_mac = plug.endpoint.mac,
                 .peer_netns = netns});
  try {
    in_netns(netns, [&] { configure_inside(plug); });
    settle_carrier(host, plug);
  } catch (...) {
    host.remove_link(plug.endpoint.veth);
    throw;
  }
}

void raise_loopback(int netns) {
  in_netns(netns, [] {
    Netlink inside;
    if (auto loopback = inside.index_of("lo")) inside.set_up(*loopback);
  });
}

void adopt_veth(const std::string& veth, const std::string& bridge) {
  Netlink netlink;
  auto master = netlink.index_of(bridge);
  for (const auto& link : netlink.links()) {
    if (link.name == veth && master && link.master != *master) netlink.set_master(link.index, *master);
  }
}

}  // namespace gantry::network
