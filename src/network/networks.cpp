#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "gantry/base/log.h"
#include "manager.h"
#include "subnet_pool.h"
#include "sysctl.h"

namespace gantry::network {
namespace {

constexpr int kBuildTries = 16;

std::uint64_t random_start() {
  auto hex = random_hex(8);
  std::uint64_t out = 0;
  std::from_chars(hex.data(), hex.data() + hex.size(), out, 16);
  return out;
}

int default_mtu() { return Netlink().default_mtu(); }

std::vector<Subnet> subnets_in_use() {
  Netlink netlink;
  std::vector<Subnet> out;
  for (auto& used : netlink.used_subnets()) out.push_back(used.subnet);
  return out;
}

Subnet wanted_subnet(const NetworkSpec& spec) {
  auto subnet = parse_subnet("subnet of network " + spec.name, *spec.subnet);
  if (!subnet.base.is_v4())
    throw Error(ErrorKind::invalid, fmt::format("subnet of network {}: '{}' is not IPv4", spec.name, *spec.subnet),
                "the IPv6 subnet is chosen by Gantry");
  if (subnet.prefix < 8 || subnet.prefix > 29)
    throw Error(ErrorKind::invalid,
                fmt::format("subnet of network {}: /{} is not between /8 and /29", spec.name, subnet.prefix));
  return subnet;
}

Address wanted_gateway(const NetworkSpec& spec, const Subnet& subnet) {
  if (!spec.gateway) return subnet.nth(1);
  auto gateway = parse_address("gateway of network " + spec.name, *spec.gateway);
  if (!subnet.contains(gateway) || gateway == subnet.base || gateway == subnet.nth(subnet.size() - 1))
    throw Error(ErrorKind::invalid, fmt::format("gateway {} of network {} is not an address within {}", *spec.gateway,
                                                spec.name, subnet.text()));
  return gateway;
}

void require_apart(const NetworkSpec& spec, const Subnet& subnet, const std::vector<Subnet>& used) {
  auto found = std::find_if(used.begin(), used.end(), [&](const Subnet& other) { return other.overlaps(subnet); });
  if (found != used.end())
    throw Error(ErrorKind::conflict,
                fmt::format("subnet {} of network {} overlaps {}, which the host or another network uses",
                            subnet.text(), spec.name, found->text()),
                "choose another subnet, or leave it out to have one chosen");
}

FirewallNetwork firewall_network(const NetworkRecord& network) {
  return {network.bridge, network.spec.internal, network.v4, network.v6};
}

Subnet picked(const NetworkSpec& spec, const Subnet& pool, int prefix, const std::vector<Subnet>& used) {
  auto subnet = pick_subnet(pool, prefix, used, random_start());
  if (!subnet) throw Error(ErrorKind::exhausted, "no subnet of " + pool.text() + " is free for network " + spec.name);
  return *subnet;
}

// The network that everybody is on holds as many containers as a bridge has ports; the others leave room for many
// networks, and one that is to hold more than 253 says so with a subnet of its own.
Subnet picked_v4(const NetworkSpec& spec, const std::vector<Subnet>& used) {
  constexpr int kUsual = 24;
  constexpr int kLarge = 20;
  if (spec.name == kDefaultNetwork) {
    auto large = pick_subnet(ipv4_pool(), kLarge, used, random_start());
    if (large) return *large;
  }
  return picked(spec, ipv4_pool(), kUsual, used);
}

}  // namespace

const NetworkRecord* NetworkManager::Impl::find(const std::string& name_or_id) const {
  auto found = records.networks.find(NetworkId(name_or_id));
  if (found != records.networks.end()) return &found->second;
  for (const auto& [id, network] : records.networks) {
    if (network.spec.name == name_or_id) return &network;
  }
  const NetworkRecord* by_prefix = nullptr;
  for (const auto& [id, network] : records.networks) {
    if (name_or_id.size() < 12 || !id.str().starts_with(name_or_id)) continue;
    if (by_prefix != nullptr) return nullptr;
    by_prefix = &network;
  }
  return by_prefix;
}

const NetworkRecord& NetworkManager::Impl::require(const std::string& name_or_id) const {
  const auto* found = find(name_or_id);
  if (found == nullptr) throw Error(ErrorKind::not_found, "network " + name_or_id + " does not exist");
  return *found;
}

NetworkInfo NetworkManager::Impl::info_of(const NetworkRecord& network) const {
  NetworkInfo out;
  out.id = network.id;
  out.spec = network.spec;
  out.bridge = network.bridge;
  out.subnet = network.v4.text();
  out.gateway = network.gateway.to_string();
  if (network.v6) out.subnet6 = network.v6->text();
  if (network.gateway6) out.gateway6 = network.gateway6->to_string();
  out.created = network.created;
  out.endpoints = static_cast<int>(records.endpoints.count(network.id));
  return out;
}

std::string NetworkManager::Impl::free_bridge_name() const {
  for (int n = 1;; ++n) {
    auto name = fmt::format("{}{}", bridge_prefix(instance), n);
    bool taken = std::any_of(records.networks.begin(), records.networks.end(),
                             [&](const auto& entry) { return entry.second.bridge == name; });
    if (!taken) return name;
  }
}

// What the network shall look like, with subnets that nothing on the host uses now.
task<NetworkRecord> NetworkManager::Impl::lay_out(NetworkSpec spec) {
  auto used = co_await pool.run(subnets_in_use);
  for (const auto& [id, network] : records.networks) {
    used.push_back(network.v4);
    if (network.v6) used.push_back(*network.v6);
  }
  NetworkRecord out;
  out.ready = false;
  out.id = make_id<NetworkId>();
  out.bridge = free_bridge_name();
  out.created = now();
  if (spec.subnet) {
    out.v4 = wanted_subnet(spec);
    require_apart(spec, out.v4, used);
  } else {
    out.v4 = picked_v4(spec, used);
  }
  out.gateway = wanted_gateway(spec, out.v4);
  spec.ipv6 = spec.ipv6 && host_has_ipv6();
  if (spec.ipv6) {
    out.v6 = picked(spec, pool6, 64, used);
    out.gateway6 = out.v6->nth(1);
  }
  out.spec = std::move(spec);
  co_return out;
}

// False: another instance chose the same subnet at the same moment. It sees the same and both choose again, at random.
task<bool> NetworkManager::Impl::try_build(NetworkRecord network) {
  auto wanted_mtu = mtu;
  std::exception_ptr failure;
  bool alone = false;
  try {
    auto store_it = [network](store::Transaction& transaction) { insert(transaction, network); };
    co_await write(std::move(store_it));
    records.networks.emplace(network.id, network);
    co_await change_table(rules::add_network(instance, firewall_network(network)));
    auto build = [network, wanted_mtu] {
      ensure_bridge(network, wanted_mtu);
      return !is_shared(network);
    };
    alone = co_await pool.run(std::move(build));
    if (alone) dns.listen(network);
    if (alone) records.networks.at(network.id).ready = true;
  } catch (...) {
    failure = std::current_exception();
  }
  if (!alone || failure) co_await dismantle(network);
  if (failure) std::rethrow_exception(failure);
  co_return alone;
}

// Every step works on whatever is left, so that it also cleans up after a creation that failed half-way.
task<> NetworkManager::Impl::dismantle(NetworkRecord network) {
  auto known = records.networks.find(network.id);
  if (known != records.networks.end()) known->second.ready = false;
  dns.stop(network.id);
  co_await sweeper.settled();
  auto remove_bridge = [bridge = network.bridge] { Netlink().remove_link(bridge); };
  co_await pool.run(std::move(remove_bridge));
  auto forget = [id = network.id](store::Transaction& transaction) { erase_network(transaction, id); };
  co_await write(std::move(forget));
  records.networks.erase(network.id);
  records.endpoints.forget(network.id);
  co_await rebuild_table();
}

task<NetworkInfo> NetworkManager::Impl::create(NetworkSpec spec) {
  auto guard_turn = co_await turn.lock();
  co_return co_await create_in_turn(std::move(spec));
}

task<NetworkInfo> NetworkManager::Impl::create_in_turn(NetworkSpec spec) {
  require_valid_name("network", spec.name);
  for (const auto& [id, network] : records.networks) {
    if (network.spec.name == spec.name && network.spec.project == spec.project)
      throw Error(ErrorKind::conflict, "network " + spec.name + " exists already");
  }
  if (mtu == 0) mtu = co_await pool.run(default_mtu);
  co_await ensure_forwarding();
  co_await ensure_table();
  for (int i = 0; i < kBuildTries; ++i) {
    auto network = co_await lay_out(spec);
    bool built = co_await try_build(network);
    if (built) co_return info_of(network);
    log::info("network {}: subnet {} was taken by another at the same time, choosing again", spec.name,
              network.v4.text());
  }
  throw Error(ErrorKind::conflict, "network " + spec.name + ": its subnet is used by something else on the host");
}

task<> NetworkManager::Impl::remove(std::string name_or_id) {
  auto guard_turn = co_await turn.lock();
  auto network = require(name_or_id);
  for (const auto& [position, endpoint] : records.endpoints) {
    if (endpoint.network == network.id)
      throw Error(ErrorKind::conflict,
                  fmt::format("network {} is used by container {}", network.spec.name, short_id(endpoint.container)),
                  "remove or disconnect its containers first");
  }
  co_await dismantle(network);
}

}  // namespace gantry::network
