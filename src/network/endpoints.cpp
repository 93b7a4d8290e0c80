#include <fmt/format.h>

#include <algorithm>

#include "conntrack.h"
#include "gantry/base/log.h"
#include "manager.h"
#include "subnet_pool.h"

namespace gantry::network {
namespace {

constexpr const char* kDefaultNetwork = "default";

Address leased(const Subnet& subnet, const std::vector<Address>& used, const std::optional<std::string>& wanted,
               std::uint64_t after, const std::string& network) {
  if (wanted) {
    auto address = parse_address("address in network " + network, *wanted);
    if (!subnet.contains(address))
      throw Error(ErrorKind::invalid,
                  fmt::format("address {} is not within {} of network {}", *wanted, subnet.text(), network));
    if (std::find(used.begin(), used.end(), address) != used.end())
      throw Error(ErrorKind::conflict, fmt::format("address {} of network {} is taken", *wanted, network));
    return address;
  }
  auto address = pick_address(subnet, used, after);
  if (!address)
    throw Error(ErrorKind::exhausted, fmt::format("network {}: every address of {} is leased", network, subnet.text()));
  return *address;
}

std::string veth_name(const std::string& instance) { return veth_prefix(instance) + random_hex(8); }

}  // namespace

std::vector<const EndpointRecord*> NetworkManager::Impl::endpoints_of(const ContainerId& container) const {
  std::vector<const EndpointRecord*> out;
  for (const auto& endpoint : records.endpoints) {
    if (endpoint.container == container) out.push_back(&endpoint);
  }
  return out;
}

const EndpointRecord* NetworkManager::Impl::way_out(const ContainerId& container) const {
  const EndpointRecord* second_choice = nullptr;
  for (const auto* endpoint : endpoints_of(container)) {
    if (records.networks.at(endpoint->network).spec.internal) continue;
    if (endpoint->default_route) return endpoint;
    if (second_choice == nullptr) second_choice = endpoint;
  }
  return second_choice;
}

EndpointInfo NetworkManager::Impl::info_of(const EndpointRecord& endpoint) const {
  const auto& network = records.networks.at(endpoint.network);
  EndpointInfo out;
  out.network = network.spec.name;
  out.ipv4 = endpoint.ipv4.to_string();
  if (endpoint.ipv6) out.ipv6 = endpoint.ipv6->to_string();
  out.gateway = network.gateway.to_string();
  if (network.gateway6) out.gateway6 = network.gateway6->to_string();
  out.mac = endpoint.mac;
  return out;
}

// IPv6 takes the number of the IPv4 address within its subnet, so that the two are easily told to belong together.
EndpointRecord NetworkManager::Impl::lease(const NetworkRecord& network, const EndpointSpec& spec) const {
  std::vector<Address> used4{network.gateway, network.v4.nth(network.v4.size() - 1), network.v4.base};
  std::vector<Address> used6;
  if (network.v6) used6 = {*network.gateway6, network.v6->base};
  std::uint64_t last = 1;
  for (const auto& other : records.endpoints) {
    if (other.network != network.id) continue;
    used4.push_back(other.ipv4);
    if (other.ipv6) used6.push_back(*other.ipv6);
    last = index_in(network.v4, other.ipv4);  // in order of reservation: the last one stays
  }
  EndpointRecord out;
  out.container = spec.container;
  out.network = network.id;
  out.position = next_position;
  out.ipv4 = leased(network.v4, used4, spec.ipv4, last, network.spec.name);
  if (network.v6)
    out.ipv6 = leased(*network.v6, used6, spec.ipv6, index_in(network.v4, out.ipv4) - 1, network.spec.name);
  out.veth = veth_name(instance);
  out.mac = mac_for(out.ipv4);
  out.interface = spec.interface.empty() ? fmt::format("eth{}", endpoints_of(spec.container).size()) : spec.interface;
  out.default_route = spec.default_route;
  out.names = spec.names;
  return out;
}

task<EndpointInfo> NetworkManager::Impl::reserve(EndpointSpec spec) {
  auto guard_turn = co_await turn.lock();
  if (spec.network == kDefaultNetwork && find(spec.network) == nullptr) {
    NetworkSpec fresh;
    fresh.name = kDefaultNetwork;
    co_await create_in_turn(std::move(fresh));
  }
  const auto& network = require(spec.network);
  for (auto& existing : records.endpoints) {
    if (existing.container != spec.container || existing.network != network.id) continue;
    auto renamed = existing;
    renamed.names = spec.names;
    auto rename = [renamed](store::Transaction& transaction) { update_names(transaction, renamed); };
    co_await write(std::move(rename));
    existing.names = renamed.names;
    co_return info_of(existing);
  }
  auto endpoint = lease(network, spec);
  auto store_it = [endpoint](store::Transaction& transaction) { insert(transaction, endpoint); };
  co_await write(std::move(store_it));
  records.endpoints.push_back(endpoint);
  ++next_position;
  co_return info_of(endpoint);
}

void NetworkManager::Impl::mark_plugged(const ContainerId& container, bool plugged) {
  for (auto& endpoint : records.endpoints) {
    if (endpoint.container == container) endpoint.plugged = plugged;
  }
}

task<> NetworkManager::Impl::plug(ContainerId container, Fd netns) {
  std::vector<Plug> plugs;
  const auto* outward = way_out(container);
  for (const auto* endpoint : endpoints_of(container)) {
    const auto& network = records.networks.at(endpoint->network);
    Plug plug{network.bridge, *endpoint, network.v4.prefix, network.v6 ? network.v6->prefix : 0, {}, {}};
    if (endpoint == outward) {
      plug.route4 = network.gateway;
      plug.route6 = network.gateway6;
    }
    plugs.push_back(std::move(plug));
  }
  if (plugs.empty())
    throw Error(ErrorKind::not_found, "container " + short_id(container) + " has no reserved endpoint");
  auto own = std::make_shared<Fd>(std::move(netns));
  auto make = [plugs = std::move(plugs), own, link_mtu = mtu] {
    for (const auto& plug : plugs) plug_endpoint(plug, link_mtu, own->get());
  };
  co_await pool.run(std::move(make));
  mark_plugged(container, true);
}

task<> NetworkManager::Impl::unplug(ContainerId container) {
  auto guard_turn = co_await turn.lock();
  co_await unplug_in_turn(std::move(container));
}

task<> NetworkManager::Impl::unplug_in_turn(ContainerId container) {
  mark_plugged(container, false);
  co_await unpublish(container);
  std::vector<std::string> veths;
  std::vector<Address> addresses;
  for (const auto* endpoint : endpoints_of(container)) {
    veths.push_back(endpoint->veth);
    addresses.push_back(endpoint->ipv4);
    if (endpoint->ipv6) addresses.push_back(*endpoint->ipv6);
  }
  if (veths.empty()) co_return;
  auto take_away = [veths, addresses] {
    Netlink netlink;
    for (const auto& veth : veths) netlink.remove_link(veth);
    forget_udp_flows(addresses);
  };
  co_await pool.run(std::move(take_away));
}

task<> NetworkManager::Impl::release(ContainerId container) {
  auto guard_turn = co_await turn.lock();
  co_await release_in_turn(std::move(container));
}

task<> NetworkManager::Impl::release_in_turn(ContainerId container) {
  if (endpoints_of(container).empty()) co_return;
  co_await unplug_in_turn(container);
  auto forget = [container](store::Transaction& transaction) { erase_endpoints(transaction, container); };
  co_await write(std::move(forget));
  std::erase_if(records.endpoints, [&](const auto& endpoint) { return endpoint.container == container; });
}

std::string NetworkManager::Impl::resolv_conf(const ContainerId& container) {
  auto own = endpoints_of(container);
  if (own.empty()) throw Error(ErrorKind::not_found, "container " + short_id(container) + " has no reserved endpoint");
  const auto* first = way_out(container);
  const auto& network = records.networks.at((first == nullptr ? own.front() : first)->network);
  std::string out = "nameserver " + network.gateway.to_string() + "\n";
  if (network.gateway6) out += "nameserver " + network.gateway6->to_string() + "\n";
  const auto& search = dns.resolvers().current().search;
  if (!search.empty()) out += fmt::format("search {}\n", fmt::join(search, " "));
  return out + "options ndots:0\n";
}

}  // namespace gantry::network
