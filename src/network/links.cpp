#include "links.h"

#include <charconv>
#include <map>

#include "gantry/base/error.h"
#include "netns.h"
#include "route_batch.h"
#include "sysctl.h"

namespace gantry::network {
namespace {

constexpr int kLoopback = 1;  // its index in every namespace

std::uint32_t random_group() {
  auto hex = random_hex(7);  // 28 bits, and one more set: never the default group
  std::uint32_t out = 0;
  std::from_chars(hex.data(), hex.data() + hex.size(), out, 16);
  return out | 0x40000000U;
}

// With br_netfilter the rules keep the containers of a bridge apart, and let through what is published. They must then
// do it alone: it leads a packet for a published port of a neighbour from port to port, where isolation would stop it.
bool rules_see_bridged() {
  return read_sysctl("bridge/bridge-nf-call-iptables") == "1" && read_sysctl("bridge/bridge-nf-call-ip6tables") == "1";
}

int require_index(const RouteSocket& socket, const std::string& name) {
  auto index = socket.index_of(name);
  if (!index) throw Error(ErrorKind::unavailable, "link " + name + " is gone, as if its namespace had ended");
  return *index;
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

WarmLink make_link(const std::string& veth, const std::string& interface, int mtu, int netns) {
  RouteSocket host;
  RouteBatch make;
  make.add_veth({.host_name = veth, .peer_name = interface, .mtu = mtu, .peer_netns = netns});
  host.run(make);
  WarmLink out;
  out.veth = veth;
  out.host_index = require_index(host, veth);
  // A port of a bridge needs no addresses; making one and telling the neighbours about it is work for the kernel.
  write_sysctl("ipv6/conf/" + veth + "/disable_ipv6", "1");
  auto inside = in_netns(netns, [&] {
    RouteSocket socket;
    write_sysctl("ipv6/conf/" + interface + "/accept_ra", "0");
    // Addresses come from leases, so a second of waiting for a duplicate finds nothing.
    write_sysctl("ipv6/conf/" + interface + "/accept_dad", "0");
    return socket;
  });
  out.peer_index = require_index(inside, interface);
  RouteBatch raise;
  raise.change_link({.index = kLoopback, .up = true});
  raise.generate_address6(out.peer_index, false);
  inside.run(raise);
  out.inside = inside.release();
  return out;
}

// The end that comes up last is ready at once. The other forwards, and a bridge without another port sends, only after
// the kernel has worked off the change of carrier, which it may put off for a second; a container's first packets would
// be lost. So they are settled at the end, the port first because the bridge follows it.
void attach_link(const WarmLink& link, const Plug& plug) {
  RouteSocket host;
  RouteSocket inside(link.inside.duplicate());
  auto bridge = host.index_of(plug.bridge);
  if (!bridge) throw Error(ErrorKind::unavailable, "bridge " + plug.bridge + " does not exist", "restart gantryd");
  RouteBatch outer;
  outer.change_link({.index = link.host_index, .mtu = plug.mtu, .master = *bridge, .up = true});
  if (plug.isolated && !rules_see_bridged()) outer.isolate(link.host_index);
  if (plug.hairpin) outer.set_hairpin(link.host_index);
  host.run(outer);

  const auto& endpoint = plug.endpoint;
  RouteBatch inner;
  // A network without IPv6 has no use for such an address, nor its neighbours for hearing of it.
  if (endpoint.ipv6) inner.generate_address6(link.peer_index, true);
  inner.change_link(
      {.index = link.peer_index, .name = endpoint.interface, .mac = endpoint.mac, .mtu = plug.mtu, .up = true});
  inner.add_address(link.peer_index, endpoint.ipv4, plug.prefix4);
  if (endpoint.ipv6) inner.add_address(link.peer_index, *endpoint.ipv6, plug.prefix6);
  if (plug.route4) inner.add_default_route(link.peer_index, *plug.route4);
  if (plug.route6) inner.add_default_route(link.peer_index, *plug.route6);
  inside.run(inner);

  RouteBatch settle;
  settle.settle_link(link.host_index);
  settle.settle_link(*bridge);
  host.run(settle);
}

// IPv6 keeps several default routes side by side, so the old one goes first.
void set_way_out(int netns, const WayOut& way) {
  auto inside = in_netns(netns, [] { return RouteSocket(); });
  RouteBatch batch;
  int index = way.interface.empty() ? 0 : require_index(inside, way.interface);
  if (way.gateway4) {
    batch.add_default_route(index, *way.gateway4);
  } else {
    batch.remove_default_route(true);
  }
  batch.remove_default_route(false);
  if (way.gateway6) batch.add_default_route(index, *way.gateway6);
  inside.run(batch);
}

void set_hairpin(const std::string& veth) {
  RouteSocket host;
  RouteBatch batch;
  batch.set_hairpin(require_index(host, veth));
  host.run(batch);
}

void remove_links(const std::vector<std::string>& names) {
  RouteSocket host;
  auto group = random_group();
  RouteBatch batch;
  bool any = false;
  for (const auto& name : names) {
    if (!host.index_of(name)) continue;
    batch.set_group(name, group);
    any = true;
  }
  if (!any) return;
  batch.remove_group(group);
  host.run(batch);
}

void raise_loopback(int netns) {
  auto inside = in_netns(netns, [] { return RouteSocket(); });
  RouteBatch raise;
  raise.change_link({.index = kLoopback, .up = true});
  inside.run(raise);
}

void adopt_ports(const std::vector<Port>& ports) {
  Netlink netlink;
  RouteBatch isolation;
  std::map<std::string, Link> links;
  for (auto& link : netlink.links()) links.emplace(link.name, link);
  for (const auto& port : ports) {
    auto veth = links.find(port.veth);
    auto bridge = links.find(port.bridge);
    if (veth == links.end() || bridge == links.end() || veth->second.master == bridge->second.index) continue;
    netlink.set_master(veth->second.index, bridge->second.index);
    if (port.isolated && !rules_see_bridged()) isolation.isolate(veth->second.index);
  }
  RouteSocket().run(isolation);
}

}  // namespace gantry::network
