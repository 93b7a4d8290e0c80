#include <fmt/format.h>

#include <algorithm>

#include "conntrack.h"
#include "gantry/base/json.h"
#include "gantry/base/log.h"
#include "manager.h"
#include "sysctl.h"

namespace gantry::network {
namespace {

constexpr std::string_view kForwarding = "forwarding-before";

// Tables of ours, of whatever instance, that keep foreign traffic from being forwarded: forwarding was off before.
bool others_guard(Nftables& nftables, const std::string& instance) {
  auto listing = nftables.run("list chains inet");
  auto own = "table inet " + rules::table(instance) + " {";
  bool foreign = false;
  std::size_t at = 0;
  while (at < listing.size()) {
    auto end = std::min(listing.find('\n', at), listing.size());
    auto line = std::string_view(listing).substr(at, end - at);
    if (line.starts_with("table ")) foreign = line.starts_with("table inet gantry_") && line != own;
    if (foreign && line.find("chain guard {") != line.npos) return true;
    at = end + 1;
  }
  return false;
}

std::vector<std::string> links_with(const std::vector<std::string>& prefixes) {
  std::vector<std::string> out;
  for (const auto& link : Netlink().links()) {
    if (std::any_of(prefixes.begin(), prefixes.end(), [&](const auto& p) { return link.name.starts_with(p); }))
      out.push_back(link.name);
  }
  return out;
}

std::vector<std::string> prefixes_of(const std::string& instance) {
  return {bridge_prefix(instance), veth_prefix(instance)};
}

}  // namespace

FirewallState NetworkManager::Impl::firewall_state() const {
  FirewallState out{instance, guard, {}, {}};
  for (const auto& [id, network] : records.networks)
    out.networks.push_back({network.bridge, network.spec.internal, network.v4, network.v6,
                            network.options.between_containers, network.options.masquerade});
  for (const auto& publication : records.publications) {
    if (!publication.open) continue;
    for (auto& forward : forwards_of(publication)) out.forwards.push_back(std::move(forward));
  }
  return out;
}

task<> NetworkManager::Impl::rebuild_in_turn() {
  table_ready = false;
  co_await apply(rules::replace(firewall_state()));
  table_ready = true;
}

task<> NetworkManager::Impl::rebuild_table() {
  auto guard_turn = co_await rules_turn.lock();
  co_await rebuild_in_turn();
}

task<> NetworkManager::Impl::change_table(std::string commands) {
  auto guard_turn = co_await rules_turn.lock();
  bool failed = !table_ready;
  try {
    if (table_ready) co_await apply(std::move(commands));
  } catch (const Error& error) {
    log::warn("{}; making the table again", error.message());
    failed = true;
  }
  if (failed) co_await rebuild_in_turn();
}

// A host whose port 53 has been taken meanwhile still gets its daemon, and its containers their packets.
void NetworkManager::Impl::serve_names() {
  for (const auto& [id, network] : records.networks) {
    try {
      dns.listen(network);
    } catch (const Error& error) {
      log::error("{}", error.message());
    }
  }
}

task<> NetworkManager::Impl::ensure_table() {
  if (!table_ready) co_await rebuild_table();
}

// The values from before are stored before anything is changed, and belong to one boot: a restart of the host sets
// everything back by itself.
task<> NetworkManager::Impl::ensure_forwarding() {
  std::string name = instance;
  auto look = [this, name] {
    auto stored =
        database.transaction([](store::Transaction& transaction) { return setting(transaction, kForwarding); });
    bool ours = stored && json::from_text<ForwardingBefore>(*stored, "stored setting").boot == boot_id();
    bool on = forwarding_is_on();
    bool inherited = !ours && on && others_guard(nftables, name);
    if (!ours && (!on || inherited)) {
      auto before = json::to_text(inherited ? assumed_values_before() : forwarding_values());
      database.transaction([&](store::Transaction& transaction) { set_setting(transaction, kForwarding, before); });
    }
    return ours || !on || inherited;
  };
  bool now_guard = co_await pool.run(std::move(look));
  if (now_guard != guard) {
    guard = now_guard;
    co_await rebuild_table();  // the guard stands before forwarding is on
  }
  if (guard) {
    auto switch_on = [] {
      if (!forwarding_is_on()) switch_forwarding_on();
    };
    co_await pool.run(switch_on);
  }
}

task<> NetworkManager::Impl::give_back_forwarding() {
  guard = false;
  auto give_back = [this] {
    auto stored =
        database.transaction([](store::Transaction& transaction) { return setting(transaction, kForwarding); });
    if (!stored) return;
    auto before = json::from_text<ForwardingBefore>(*stored, "stored setting");
    if (before.boot == boot_id() && !others_guard(nftables, instance)) restore_forwarding(before);
    database.transaction([](store::Transaction& transaction) { erase_setting(transaction, kForwarding); });
  };
  co_await pool.run(give_back);
}

// Links of this instance that no record owns: left by a crash between the kernel and the store.
task<> NetworkManager::Impl::sweep_links() {
  std::set<std::string> owned;
  for (const auto& [id, network] : records.networks) owned.insert(network.bridge);
  for (const auto& [position, endpoint] : records.endpoints) owned.insert(endpoint.veth);
  auto sweep = [owned, prefixes = prefixes_of(instance)] {
    auto names = links_with(prefixes);
    std::erase_if(names, [&](const std::string& name) { return owned.contains(name); });
    remove_links(names);
  };
  co_await pool.run(std::move(sweep));
}

task<> NetworkManager::Impl::adopt_endpoints() {
  std::vector<Port> ports;
  for (const auto& [position, endpoint] : records.endpoints) {
    const auto& network = records.networks.at(endpoint.network);
    ports.push_back({endpoint.veth, network.bridge, !network.options.between_containers});
  }
  auto adopt = [ports = std::move(ports), prefix = veth_prefix(instance)] {
    adopt_ports(ports);
    auto names = links_with({prefix});
    return std::set<std::string>(names.begin(), names.end());
  };
  auto present = co_await pool.run(std::move(adopt));
  // Containers whose ports lead to a link that is gone. (One that was being connected to a further network keeps them.)
  std::set<ContainerId> unplugged;
  for (const auto& [position, endpoint] : records.endpoints) {
    auto* own = records.endpoints.at(endpoint.network, endpoint.ipv4);
    own->plugged = own->linked = present.contains(endpoint.veth);
    if (own->plugged) continue;
    for (const auto& publication : records.publications)
      if (publication.container == endpoint.container && publication.network == endpoint.network)
        unplugged.insert(endpoint.container);
  }
  if (unplugged.empty()) co_return;
  auto forget = [unplugged](store::Transaction& transaction) {
    for (const auto& container : unplugged) erase_publications(transaction, container);
  };
  co_await write(std::move(forget));
  std::erase_if(records.publications,
                [&](const auto& publication) { return unplugged.contains(publication.container); });
}

// All at once: after a restart of the host a thousand of them are gone.
task<> NetworkManager::Impl::release_gone(std::vector<ContainerId> alive) {
  std::set<ContainerId> gone;
  for (const auto& [position, endpoint] : records.endpoints) gone.insert(endpoint.container);
  for (const auto& container : alive) gone.erase(container);
  if (gone.empty()) co_return;
  auto forget = [gone](store::Transaction& transaction) {
    for (const auto& container : gone) erase_rows(transaction, container);
  };
  co_await write(std::move(forget));
  std::vector<Address> addresses;
  std::erase_if(records.publications, [&](const auto& publication) { return gone.contains(publication.container); });
  for (const auto& container : gone) {
    holds.erase(container);
    for (const auto* endpoint : records.endpoints.of(container)) {
      addresses.push_back(endpoint->ipv4);
      if (endpoint->ipv6) addresses.push_back(*endpoint->ipv6);
    }
    released(container);
  }
  auto forget_flows = [addresses] { forget_udp_flows(addresses); };
  co_await pool.run(std::move(forget_flows));
}

task<> NetworkManager::Impl::recover(std::vector<ContainerId> alive) {
  auto guard_turn = co_await turn.lock();
  co_await release_gone(std::move(alive));
  co_await sweeper.settled();
  co_await sweep_links();
  if (records.networks.empty()) {
    co_await give_back_forwarding();
    co_await apply(rules::remove_table(instance));
    table_ready = false;
    co_return;
  }
  auto find_mtu = [] { return Netlink().default_mtu(); };
  mtu = co_await pool.run(find_mtu);
  co_await ensure_forwarding();
  for (const auto& [id, network] : records.networks) {
    auto ensure = [network = network, link_mtu = network.mtu_or(mtu)] { ensure_bridge(network, link_mtu); };
    co_await pool.run(std::move(ensure));
  }
  co_await adopt_endpoints();
  co_await rebuild_table();
  for (const auto& publication : records.publications) {
    // The rules lead to the container even when another program has taken the port meanwhile; that is worth a word.
    try {
      auto port = publication.port;
      holds[publication.container].push_back(hold_port(port));
    } catch (const Error& error) {
      log::warn("container {}: {}", short_id(publication.container), error.message());
    }
  }
  serve_names();
}

task<> NetworkManager::Impl::remove_all() {
  auto guard_turn = co_await turn.lock();
  for (const auto& [id, network] : records.networks) dns.stop(id);
  std::vector<std::string> named;
  for (const auto& [id, network] : records.networks)
    if (!network.options.bridge.empty()) named.push_back(network.bridge);
  auto remove = [named, prefixes = prefixes_of(instance)] {
    auto names = links_with(prefixes);
    names.insert(names.end(), named.begin(), named.end());
    remove_links(names);
  };
  co_await pool.run(std::move(remove));
  co_await sweeper.settled();
  // The guard stays until nothing is forwarded any more.
  co_await give_back_forwarding();
  co_await apply(rules::remove_table(instance));
  table_ready = false;
  holds.clear();
  auto forget = [](store::Transaction& transaction) {
    for (const char* table : {"network_publication", "network_endpoint", "network"})
      transaction.run(fmt::format("DELETE FROM {}", table));
  };
  co_await write(forget);
  records = {};
}

}  // namespace gantry::network
