#include <algorithm>
#include <cctype>
#include <random>

#include "manager.h"

namespace gantry::network {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// "web" and "web.shop_default" both name the endpoint.
bool is_named(const EndpointRecord& endpoint, const std::string& network, const std::string& name) {
  return std::any_of(endpoint.names.begin(), endpoint.names.end(), [&](const std::string& own) {
    auto wanted = lower(own);
    return name == wanted || name == wanted + "." + lower(network);
  });
}

struct Seen {
  const NetworkRecord* network;
  const EndpointRecord* endpoint;
};

// What a client can reach: the plugged endpoints of the networks it is in.
using Visible = std::vector<Seen>;

std::optional<std::vector<Address>> find_addresses(const Visible& visible, const std::string& name) {
  std::vector<Address> out;
  for (const auto& [network, endpoint] : visible) {
    if (!is_named(*endpoint, network->spec.name, name)) continue;
    out.push_back(endpoint->ipv4);
    if (endpoint->ipv6) out.push_back(*endpoint->ipv6);
  }
  if (out.empty()) return std::nullopt;
  // Clients take the first address: a new order for every answer spreads them over the replicas.
  static std::minstd_rand random(std::random_device{}());
  std::shuffle(out.begin(), out.end(), random);
  return out;
}

std::string first_name(const Seen& seen) {
  if (seen.endpoint->names.empty()) return {};
  return seen.endpoint->names.front() + "." + seen.network->spec.name;
}

bool is_of(const Address& address, const std::string& name) { return name + "." == reverse_name(address); }

// The reverse name of a network ends with the octets (or nibbles) of its prefix; only whole ones count here, so an odd
// prefix covers a little more than the subnet.
bool lies_within(const Subnet& subnet, const std::string& name) {
  auto whole = reverse_name(subnet.base);
  std::size_t parts = subnet.base.is_v4() ? static_cast<std::size_t>(4 - subnet.prefix / 8)
                                          : static_cast<std::size_t>(32 - subnet.prefix / 4);
  std::size_t at = 0;
  for (std::size_t i = 0; i < parts; ++i) at = whole.find('.', at) + 1;
  return (name + ".").ends_with("." + whole.substr(at));
}

std::optional<std::string> find_reverse(const Visible& visible, const std::vector<const NetworkRecord*>& networks,
                                        const std::string& name) {
  for (const auto& seen : visible) {
    if (is_of(seen.endpoint->ipv4, name) || (seen.endpoint->ipv6 && is_of(*seen.endpoint->ipv6, name)))
      return first_name(seen);
  }
  for (const auto* network : networks) {
    if (lies_within(network->v4, name) || (network->v6 && lies_within(*network->v6, name))) return std::string();
  }
  return std::nullopt;
}

}  // namespace

DnsView NetworkManager::Impl::view_for(const NetworkId& network, const Address& client) const {
  std::set<NetworkId> ids{network};
  for (const auto& endpoint : records.endpoints) {
    if (endpoint.network != network || (endpoint.ipv4 != client && endpoint.ipv6 != client)) continue;
    for (const auto* sibling : endpoints_of(endpoint.container)) ids.insert(sibling->network);
  }
  std::vector<const NetworkRecord*> networks;
  bool outward = false;
  for (const auto& id : ids) {
    auto found = records.networks.find(id);
    if (found == records.networks.end()) continue;
    networks.push_back(&found->second);
    outward = outward || !found->second.spec.internal;
  }
  Visible visible;
  for (const auto& endpoint : records.endpoints) {
    if (endpoint.plugged && ids.contains(endpoint.network))
      visible.push_back({&records.networks.at(endpoint.network), &endpoint});
  }
  DnsView out;
  out.addresses = [visible](const std::string& name) { return find_addresses(visible, name); };
  out.reverse = [visible, networks](const std::string& name) { return find_reverse(visible, networks, name); };
  out.forwards = outward;
  return out;
}

}  // namespace gantry::network
