#include <fmt/format.h>

#include <algorithm>

#include "gantry/base/log.h"
#include "manager.h"

namespace gantry::network {

const EndpointRecord* NetworkManager::Impl::way_out(const ContainerId& container) const {
  const EndpointRecord* out = nullptr;
  for (const auto* endpoint : records.endpoints.of(container)) {
    if (records.networks.at(endpoint->network).spec.internal) continue;
    if (out == nullptr || endpoint->priority > out->priority) out = endpoint;
  }
  return out;
}

EndpointInfo NetworkManager::Impl::info_of(const EndpointRecord& endpoint) const {
  const auto& network = records.networks.at(endpoint.network);
  EndpointInfo out;
  out.id = endpoint.id;
  out.container = endpoint.container;
  out.network_id = network.id;
  out.network = network.spec.name;
  out.interface = endpoint.interface;
  out.prefix4 = network.v4.prefix;
  if (network.v6) out.prefix6 = network.v6->prefix;
  out.names = endpoint.names;
  out.plugged = endpoint.plugged;
  out.ipv4 = endpoint.ipv4.to_string();
  if (endpoint.ipv6) out.ipv6 = endpoint.ipv6->to_string();
  out.gateway = network.gateway.to_string();
  if (network.gateway6) out.gateway6 = network.gateway6->to_string();
  out.mac = endpoint.mac;
  return out;
}

std::vector<Plug> NetworkManager::Impl::plugs_of(const ContainerId& container) const {
  std::vector<Plug> out;
  const auto* outward = way_out(container);
  bool ports = has_ports(container);
  for (const auto* endpoint : records.endpoints.of(container)) {
    const auto& network = records.networks.at(endpoint->network);
    Plug plug;
    plug.bridge = network.bridge;
    plug.endpoint = *endpoint;
    plug.prefix4 = network.v4.prefix;
    if (network.v6) plug.prefix6 = network.v6->prefix;
    plug.isolated = !network.options.between_containers;
    plug.mtu = network.options.mtu.value_or(0);
    if (endpoint == outward) {
      plug.route4 = network.gateway;
      plug.route6 = network.gateway6;
      plug.hairpin = ports;
    }
    out.push_back(std::move(plug));
  }
  return out;
}

void NetworkManager::Impl::sweep(EndpointRecord& endpoint) {
  std::vector<Address> addresses{endpoint.ipv4};
  if (endpoint.ipv6) addresses.push_back(*endpoint.ipv6);
  sweeper.add(endpoint.veth, std::move(addresses));
  endpoint.linked = false;
  endpoint.warm.reset();
}

task<> NetworkManager::Impl::plug(ContainerId container, Fd netns) {
  const auto& endpoints = records.endpoints.of(container);
  if (endpoints.empty())
    throw Error(ErrorKind::not_found, "container " + short_id(container) + " has no reserved endpoint");
  // An address asked for by its number, or one of the same container plugged again.
  bool swept = std::any_of(endpoints.begin(), endpoints.end(), [&](const auto* e) { return sweeper.busy(e->ipv4); });
  bool crowded = sweeper.size() > 0 && std::any_of(endpoints.begin(), endpoints.end(), [&](const auto* e) {
                   return records.endpoints.count(e->network) + sweeper.size() > kBridgePorts;
                 });
  if (swept || crowded) co_await sweeper.settled();

  auto plugs = plugs_of(container);
  for (auto* endpoint : records.endpoints.of(container)) {
    endpoint->warm.reset();  // the plug has it, and with it goes its hold on the namespace
    endpoint->linked = true;
  }
  auto own = std::make_shared<Fd>(std::move(netns));
  auto make = [plugs = std::move(plugs), own, link_mtu = mtu]() mutable {
    for (auto& plug : plugs) {
      auto& warm = plug.endpoint.warm;
      const auto& wanted = plug.endpoint;
      if (!warm) warm = std::make_shared<WarmLink>(make_link(wanted.veth, wanted.interface, link_mtu, own->get()));
      attach_link(*warm, plug);
      warm.reset();
    }
  };
  std::exception_ptr failure;
  try {
    co_await pool.run(std::move(make));
    if (has_ports(container)) co_await open_ports(container);
  } catch (...) {
    failure = std::current_exception();
  }
  for (auto* endpoint : records.endpoints.of(container)) {
    endpoint->plugged = !failure;
    if (failure) sweep(*endpoint);
  }
  if (failure) std::rethrow_exception(failure);
}

task<> NetworkManager::Impl::unplug(ContainerId container) {
  for (auto* endpoint : records.endpoints.of(container)) {
    endpoint->plugged = false;
    if (endpoint->linked) sweep(*endpoint);
  }
  if (has_ports(container)) co_await unpublish(container);
}

void NetworkManager::Impl::released(const ContainerId& container) {
  auto endpoints = records.endpoints.of(container);
  for (auto* endpoint : endpoints) {
    if (endpoint->linked) sweep(*endpoint);
    records.endpoints.erase(endpoint->position);
  }
}

task<> NetworkManager::Impl::release(ContainerId container) {
  co_await unplug(container);
  if (records.endpoints.of(container).empty()) co_return;
  auto forget = [container](store::Transaction& transaction) { erase_rows(transaction, container); };
  co_await write(std::move(forget));
  released(container);
}

task<WarmLink> NetworkManager::Impl::prepare_link(Fd netns) {
  if (mtu == 0) {
    auto find_mtu = [] { return Netlink().default_mtu(); };
    mtu = co_await pool.run(find_mtu);
  }
  auto veth = veth_prefix(instance) + random_hex(8);
  auto own = std::make_shared<Fd>(std::move(netns));
  auto make = [veth, own, link_mtu = mtu] { return make_link(veth, "eth0", link_mtu, own->get()); };
  std::exception_ptr failure;
  try {
    auto link = co_await pool.run(std::move(make));
    co_return link;
  } catch (...) {
    failure = std::current_exception();
  }
  sweeper.add(veth, {});
  std::rethrow_exception(failure);
}

std::string NetworkManager::Impl::resolv_conf(const ContainerId& container) {
  const auto& own = records.endpoints.of(container);
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
