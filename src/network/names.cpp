#include <algorithm>
#include <random>

#include "gantry/base/text.h"
#include "manager.h"

namespace gantry::network {
namespace {

// Addresses of `name` in one network: "web" and "web.shop_default" both name the endpoint.
void collect(const EndpointTable& endpoints, const NetworkRecord& network, const std::string& name,
             std::vector<Address>& out) {
  auto add = [&](const std::string& own) {
    for (const auto* endpoint : endpoints.named(network.id, own)) {
      if (!endpoint->plugged) continue;
      out.push_back(endpoint->ipv4);
      if (endpoint->ipv6) out.push_back(*endpoint->ipv6);
    }
  };
  add(name);
  auto suffix = "." + lower(network.spec.name);
  if (name.ends_with(suffix)) add(name.substr(0, name.size() - suffix.size()));
}

// Clients take the first address: a new order for every answer spreads them over the replicas.
std::optional<std::vector<Address>> shuffled(std::vector<Address> addresses) {
  if (addresses.empty()) return std::nullopt;
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  static std::minstd_rand random(std::random_device{}());
  std::shuffle(addresses.begin(), addresses.end(), random);
  return addresses;
}

std::string first_name(const EndpointRecord& endpoint, const NetworkRecord& network) {
  return endpoint.names.empty() ? std::string() : endpoint.names.front() + "." + network.spec.name;
}

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

std::optional<std::string> find_reverse(const Records& records, const std::set<NetworkId>& networks,
                                        const std::string& name) {
  auto address = address_of_reverse(name);
  bool ours = false;
  for (const auto& id : networks) {
    auto network = records.networks.find(id);
    if (network == records.networks.end()) continue;
    const auto* endpoint = address ? records.endpoints.at(id, *address) : nullptr;
    if (endpoint != nullptr && endpoint->plugged) return first_name(*endpoint, network->second);
    const auto& own = network->second;
    ours = ours || lies_within(own.v4, name) || (own.v6 && lies_within(*own.v6, name));
  }
  return ours ? std::optional(std::string()) : std::nullopt;
}

}  // namespace

DnsView NetworkManager::Impl::view_for(const NetworkId& network, const Address& client) const {
  std::set<NetworkId> ids{network};
  if (const auto* endpoint = records.endpoints.at(network, client)) {
    for (const auto* sibling : records.endpoints.of(endpoint->container)) ids.insert(sibling->network);
  }
  DnsView out;
  out.forwards = false;
  for (const auto& id : ids) {
    auto found = records.networks.find(id);
    out.forwards = out.forwards || (found != records.networks.end() && !found->second.spec.internal);
  }
  out.addresses = [this, ids](const std::string& name) {
    std::vector<Address> addresses;
    for (const auto& id : ids) {
      auto found = records.networks.find(id);
      if (found != records.networks.end()) collect(records.endpoints, found->second, name, addresses);
    }
    return shuffled(std::move(addresses));
  };
  out.reverse = [this, ids](const std::string& name) { return find_reverse(records, ids, name); };
  return out;
}

}  // namespace gantry::network
