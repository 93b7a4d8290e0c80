#include "firewall.h"

#include <fmt/format.h>
#include <nftables/libnftables.h>

#include "gantry/base/error.h"

namespace gantry::network {
namespace rules {
// Protocols stand here by number (tcp 6, udp 17, icmp 1, ipv6-icmp 58): libnftables looks names up in /etc/protocols,
// which a minimal Debian does not have.
namespace {

// Drops are final in nftables while an accept ends only its own base chain, so nothing here can open what another
// table closes. Priorities are the usual ones: the host's chains see the same packets with the same addresses.
// Hairpin: an answer within one bridge would bypass the translation, so a client that shares the bridge with the
// target is masqueraded. Such frames have no incoming link in postrouting when br_netfilter handles them, hence the
// sets of source subnet and outgoing bridge. [::1] is left alone: the kernel takes no packet for ::1 from a bridge, so
// the answer of a container could not come back, and a refusal lets clients of localhost go on to 127.0.0.1.
constexpr std::string_view kChains = R"(
  chain published {
    dnat ip to ip daddr . meta l4proto . th dport map @exact4
    dnat ip to meta l4proto . th dport map @every4
    dnat ip6 to ip6 daddr . meta l4proto . th dport map @exact6
    dnat ip6 to meta l4proto . th dport map @every6
  }
  chain early {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip daddr 127.0.0.0/8 drop
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    iifname != "lo" ip daddr 127.0.0.0/8 return
    iifname @bridges fib daddr . iif type local meta l4proto { 6, 17 } th dport 53 return
    fib daddr type local jump published
  }
  chain local {
    type nat hook output priority -100; policy accept;
    ip6 daddr ::1 return
    fib daddr type local jump published
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    iifname @masked oifname != "gt*" oifname != @bridges masquerade
    ip saddr . oifname @near4 ct status dnat masquerade
    ip6 saddr . oifname @near6 ct status dnat masquerade
    ip saddr 127.0.0.0/8 oifname @bridges masquerade
  }
  chain leaving {
    iifname . oifname @same accept
    iifname != @routed drop
    fib saddr . iif oif missing drop
    ct status dnat accept
    oifname "gt*" drop
    oifname @bridges drop
    accept
  }
  chain entering {
    oifname != @routed drop
    ct status dnat accept
    drop
  }
  chain to_host {
    ct state established,related accept
    fib daddr . iif type local meta l4proto { 6, 17 } th dport 53 accept
    fib daddr . iif type local meta l4proto { 1, 58 } accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    drop
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname @bridges goto to_host
  }
)";

// Frames between the ports of one foreign bridge pass here too when br_netfilter is loaded; they were forwarded
// before and stay so.
constexpr std::string_view kGuard = R"(
  chain guard {
    meta iifkind "bridge" meta oifkind "bridge" return
    drop
  }
)";

std::string in_table(const std::string& instance) { return "inet " + table(instance); }

std::string elements(const std::vector<std::string>& list) {
  return list.empty() ? "" : fmt::format("elements = {{ {} }}", fmt::join(list, ", "));
}

std::string quoted(const std::string& name) { return '"' + name + '"'; }
std::string pair_of(const std::string& bridge) { return quoted(bridge) + " . " + quoted(bridge); }

bool is_masked(const FirewallNetwork& network) { return !network.internal && network.masquerade; }

std::string near_of(const Subnet& subnet, const std::string& bridge) { return subnet.text() + " . " + quoted(bridge); }

std::string map_of(const PortForward& forward) {
  return fmt::format("{}{}", forward.host ? "exact" : "every", forward.target.is_v4() ? 4 : 6);
}

std::string key_of(const PortForward& forward) {
  auto host = forward.host ? forward.host->to_string() + " . " : std::string();
  return fmt::format("{}{} . {}", host, forward.udp ? 17 : 6, forward.host_port);
}

std::string entry_of(const PortForward& forward) {
  return fmt::format("{} : {} . {}", key_of(forward), forward.target.to_string(), forward.target_port);
}

std::string forward_map(std::string_view name, std::string_view type, const std::vector<PortForward>& forwards) {
  std::vector<std::string> list;
  for (const auto& forward : forwards) {
    if (map_of(forward) == name) list.push_back(entry_of(forward));
  }
  return fmt::format("  map {} {{ type {}; {} }}\n", name, type, elements(list));
}

std::string forward_chain(bool guard) {
  return fmt::format(R"(
  chain forward {{
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    iifname @bridges goto leaving
    oifname @bridges goto entering
    {}
  }}
)",
                     guard ? R"(iifname != "gt*" oifname != "gt*" jump guard)" : "");
}

std::string sets(const std::vector<FirewallNetwork>& networks) {
  std::vector<std::string> bridges, routed, masked, same, near4, near6;
  for (const auto& network : networks) {
    bridges.push_back(quoted(network.bridge));
    if (!network.internal) routed.push_back(quoted(network.bridge));
    if (is_masked(network)) masked.push_back(quoted(network.bridge));
    if (network.between_containers) same.push_back(pair_of(network.bridge));
    near4.push_back(near_of(network.v4, network.bridge));
    if (network.v6) near6.push_back(near_of(*network.v6, network.bridge));
  }
  return fmt::format(
      "  set bridges {{ type ifname; {} }}\n  set routed {{ type ifname; {} }}\n"
      "  set masked {{ type ifname; {} }}\n  set same {{ type ifname . ifname; {} }}\n"
      "  set near4 {{ type ipv4_addr . ifname; flags interval; {} }}\n"
      "  set near6 {{ type ipv6_addr . ifname; flags interval; {} }}\n",
      elements(bridges), elements(routed), elements(masked), elements(same), elements(near4), elements(near6));
}

std::string maps(const std::vector<PortForward>& forwards) {
  return forward_map("exact4", "ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service", forwards) +
         forward_map("every4", "inet_proto . inet_service : ipv4_addr . inet_service", forwards) +
         forward_map("exact6", "ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service", forwards) +
         forward_map("every6", "inet_proto . inet_service : ipv6_addr . inet_service", forwards);
}

std::string change_network(std::string_view verb, const std::string& instance, const FirewallNetwork& network) {
  auto target = in_table(instance);
  auto bridge = quoted(network.bridge);
  std::string out;
  auto element = [&](std::string_view set, const std::string& value) {
    out += fmt::format("{} element {} {} {{ {} }}\n", verb, target, set, value);
  };
  element("bridges", bridge);
  if (network.between_containers) element("same", pair_of(network.bridge));
  element("near4", near_of(network.v4, network.bridge));
  if (network.v6) element("near6", near_of(*network.v6, network.bridge));
  if (!network.internal) element("routed", bridge);
  if (is_masked(network)) element("masked", bridge);
  return out;
}

}  // namespace

std::string table(const std::string& instance) { return "gantry_" + instance; }

std::string replace(const FirewallState& state) {
  return remove_table(state.instance) + "table " + in_table(state.instance) + " {\n" + sets(state.networks) +
         maps(state.forwards) + std::string(kChains) + (state.guard ? std::string(kGuard) : "") +
         forward_chain(state.guard) + "}\n";
}

std::string add_network(const std::string& instance, const FirewallNetwork& network) {
  return change_network("add", instance, network);
}

std::string remove_network(const std::string& instance, const FirewallNetwork& network) {
  return change_network("delete", instance, network);
}

std::string add_forwards(const std::string& instance, const std::vector<PortForward>& forwards) {
  std::string out;
  for (const auto& forward : forwards)
    out += fmt::format("add element {} {} {{ {} }}\n", in_table(instance), map_of(forward), entry_of(forward));
  return out;
}

std::string remove_forwards(const std::string& instance, const std::vector<PortForward>& forwards) {
  std::string out;
  for (const auto& forward : forwards)
    out += fmt::format("delete element {} {} {{ {} }}\n", in_table(instance), map_of(forward), key_of(forward));
  return out;
}

std::string remove_table(const std::string& instance) {
  auto name = in_table(instance);
  return fmt::format("add table {}\ndelete table {}\n", name, name);
}

}  // namespace rules

Nftables::Nftables() : context_(nft_ctx_new(NFT_CTX_DEFAULT), nft_ctx_free) {
  if (!context_) throw Error(ErrorKind::unavailable, "nftables: cannot be opened");
  nft_ctx_buffer_output(context_.get());
  nft_ctx_buffer_error(context_.get());
}
Nftables::~Nftables() = default;

std::string Nftables::run(const std::string& commands) {
  std::lock_guard lock(mutex_);
  int code = nft_run_cmd_from_buffer(context_.get(), commands.c_str());
  std::string output = nft_ctx_get_output_buffer(context_.get());
  std::string errors = nft_ctx_get_error_buffer(context_.get());
  if (code != 0) throw Error(ErrorKind::internal, "nftables: " + errors);
  return output;
}

}  // namespace gantry::network
