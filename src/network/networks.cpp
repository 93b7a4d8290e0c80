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

void require_apart(const NetworkSpec& spec, const Subnet& subnet, const std::vector<Subnet>& used) {
  auto found = std::find_if(used.begin(), used.end(), [&](const Subnet& other) { return other.overlaps(subnet); });
  if (found != used.end())
    throw Error(ErrorKind::conflict,
                fmt::format("invalid pool request: Pool overlaps with other one on this address space: subnet {} of "
                            "network {} and {}, which the host or another network uses",
                            subnet.text(), spec.name, found->text()),
                "choose another subnet, or leave it out to have one chosen");
}

FirewallNetwork firewall_network(const NetworkRecord& network) {
  return {network.bridge,
          network.spec.internal,
          network.v4,
          network.v6,
          network.options.between_containers,
          network.options.masquerade};
}

void require_driver(const NetworkSpec& spec) {
  if (spec.driver.empty() || spec.driver == "bridge") return;
  if (spec.driver == "host" || spec.driver == "null")
    throw Error(ErrorKind::denied, fmt::format("only one instance of \"{}\" network is allowed", spec.driver),
                "use the network that is there, or the driver bridge");
  for (const char* known : {"overlay", "macvlan", "ipvlan"})
    if (spec.driver == known)
      throw Error(ErrorKind::unsupported, fmt::format("network {}: driver {} is not supported", spec.name, spec.driver),
                  "use the driver bridge");
  throw Error(ErrorKind::not_found,
              fmt::format("plugin \"{}\" not found: network {} asks for it as its driver", spec.driver, spec.name),
              "use the driver bridge");
}

void require_custom_name(const NetworkSpec& spec) {
  for (const char* name : {kDockersDefault, kHostNetwork, kNoNetwork})
    if (spec.name == name)
      throw Error(ErrorKind::denied, fmt::format("operation is not permitted on predefined {} network ", name),
                  "choose another name");
}

bool link_exists(const std::string& name) { return Netlink().index_of(name).has_value(); }

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
  if (name_or_id == kDockersDefault) return find(kDefaultNetwork);
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
  if (found == nullptr)
    throw Error(ErrorKind::not_found, "network " + name_or_id + " not found",
                "see 'gantry network ls' for those there are");
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

std::optional<NetworkInfo> NetworkManager::Impl::predefined(const std::string& name_or_id) const {
  for (const auto& info : predefined_networks) {
    bool by_prefix = name_or_id.size() >= 12 && info.id.str().starts_with(name_or_id);
    if (info.spec.name == name_or_id || by_prefix) return info;
  }
  return std::nullopt;
}

NetworkInfo NetworkManager::Impl::inspect(const std::string& name_or_id) const {
  if (auto info = predefined(name_or_id)) return *info;
  return info_of(require(name_or_id));
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
  out.created = now();
  auto options = parse_bridge_options(spec.options);
  out.bridge = options.bridge.empty() ? free_bridge_name() : options.bridge;
  auto pools = wanted_pools(spec);
  if (pools.v4) {
    out.v4 = wanted_subnet(spec.name, *pools.v4);
    require_apart(spec, out.v4, used);
  } else {
    out.v4 = picked_v4(spec, used);
  }
  out.gateway = plan_addresses(spec.name, out.v4, pools.v4 ? &*pools.v4 : nullptr).gateway;
  if (pools.v6 && !host_has_ipv6())
    throw Error(ErrorKind::unavailable, "network " + spec.name + ": the host has no IPv6", "leave the IPv6 subnet out");
  spec.ipv6 = (spec.ipv6 && host_has_ipv6()) || pools.v6;
  if (pools.v6) {
    out.v6 = wanted_subnet(spec.name, *pools.v6);
    require_apart(spec, *out.v6, used);
  } else if (spec.ipv6) {
    out.v6 = picked(spec, pool6, 64, used);
  }
  if (out.v6) out.gateway6 = plan_addresses(spec.name, *out.v6, pools.v6 ? &*pools.v6 : nullptr).gateway;
  out.spec = std::move(spec);
  out.complete();
  co_return out;
}

// False: another instance chose the same subnet at the same moment. It sees the same and both choose again, at random.
task<bool> NetworkManager::Impl::try_build(NetworkRecord network) {
  auto wanted_mtu = network.mtu_or(mtu);
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
  require_custom_name(spec);
  require_driver(spec);
  for (const auto& [id, network] : records.networks) {
    if (network.spec.name == spec.name && network.spec.project == spec.project)
      throw Error(ErrorKind::conflict, "network with name " + spec.name + " already exists",
                  "choose another name, or remove that one with 'gantry network rm'");
  }
  co_await require_own_bridge(spec);
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

// The rules tell bridges by name, so two networks cannot share one, and a link of somebody else's is left alone.
task<> NetworkManager::Impl::require_own_bridge(NetworkSpec spec) {
  auto name = parse_bridge_options(spec.options).bridge;
  if (name.empty()) co_return;
  auto look = [name] { return link_exists(name); };
  bool taken = co_await pool.run(look);
  if (taken)
    throw Error(ErrorKind::conflict, fmt::format("network {}: a link named {} is on the host already", spec.name, name),
                "choose another name, or leave com.docker.network.bridge.name out");
}

task<NetworkInfo> NetworkManager::Impl::ensure_default() {
  EndpointSpec wanted;
  wanted.network = kDefaultNetwork;
  std::vector<EndpointSpec> endpoints(1, wanted);
  co_await ensure_default_for(endpoints);
  co_return info_of(require(kDefaultNetwork));
}

task<std::vector<NetworkInfo>> NetworkManager::Impl::prune(std::function<bool(const NetworkInfo&)> unwanted) {
  auto guard_turn = co_await turn.lock();
  std::vector<NetworkRecord> chosen;
  for (const auto& [id, network] : records.networks) {
    bool idle = network.ready && network.spec.name != kDefaultNetwork && records.endpoints.count(id) == 0;
    if (idle && unwanted(info_of(network))) chosen.push_back(network);
  }
  std::vector<NetworkInfo> out;
  for (const auto& network : chosen) {
    if (records.endpoints.count(network.id) > 0) continue;  // a container came while another network went
    auto info = info_of(network);
    co_await dismantle(network);
    out.push_back(std::move(info));
  }
  co_return out;
}

task<> NetworkManager::Impl::remove(std::string name_or_id) {
  auto guard_turn = co_await turn.lock();
  if (auto fixed = predefined(name_or_id))
    throw Error(ErrorKind::denied, fixed->spec.name + " is a pre-defined network and cannot be removed",
                "leave it: it costs nothing");
  auto network = require(name_or_id);
  for (const auto& [position, endpoint] : records.endpoints) {
    if (endpoint.network == network.id)
      throw Error(ErrorKind::conflict,
                  fmt::format("network {} id {} has active endpoints: container {}", network.spec.name,
                              network.id.str(), short_id(endpoint.container)),
                  "stop or disconnect its containers first");
  }
  co_await dismantle(network);
}

}  // namespace gantry::network
