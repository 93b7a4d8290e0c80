#include "ipam.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>

#include "gantry/base/error.h"
#include "subnet_pool.h"

namespace gantry::network {
namespace {

std::string what_of(const char* what, const std::string& network) {
  return fmt::format("{} of network {}", what, network);
}

void take(const std::string& network, const IpamPool& pool, WantedPools& out) {
  if (pool.subnet.empty())
    throw Error(ErrorKind::invalid,
                fmt::format("invalid network config: network {} has an address pool without a subnet", network),
                "give the subnet, or leave the whole pool out to have one chosen");
  bool v4 = parse_subnet(what_of("subnet", network), pool.subnet).base.is_v4();
  auto& family = v4 ? out.v4 : out.v6;
  if (family)
    throw Error(ErrorKind::invalid,
                fmt::format("bridge driver doesn't support multiple subnets: network {} names {} and {}", network,
                            family->subnet, pool.subnet),
                "give one IPv4 and one IPv6 subnet at most");
  family = pool;
}

Address within(const char* what, const std::string& network, const Subnet& subnet, const std::string& text) {
  auto address = parse_address(what_of(what, network), text);
  if (!subnet.contains(address))
    throw Error(ErrorKind::invalid, fmt::format("invalid network config: {} {} of network {} is not within {}", what,
                                                text, network, subnet.text()));
  return address;
}

bool is_broadcast(const Subnet& subnet, const Address& address) {
  return subnet.base.is_v4() && address == subnet.nth(subnet.size() - 1);
}

}  // namespace

WantedPools wanted_pools(const NetworkSpec& spec) {
  WantedPools out;
  for (const auto& pool : spec.ipam) take(spec.name, pool, out);
  if (spec.subnet) {
    IpamPool pool;
    pool.subnet = *spec.subnet;
    pool.gateway = spec.gateway.value_or("");
    take(spec.name, pool, out);
  } else if (spec.gateway) {
    throw Error(ErrorKind::invalid, "invalid network config: network " + spec.name + " has a gateway without a subnet",
                "give the subnet, too");
  }
  return out;
}

Subnet wanted_subnet(const std::string& network, const IpamPool& pool) {
  auto subnet = parse_subnet(what_of("subnet", network), pool.subnet);
  bool v4 = subnet.base.is_v4();
  int least = v4 ? 8 : 48;
  int most = v4 ? 30 : 126;
  if (subnet.prefix < least || subnet.prefix > most)
    throw Error(ErrorKind::invalid, fmt::format("subnet of network {}: /{} is not between /{} and /{}", network,
                                                subnet.prefix, least, most));
  return subnet;
}

AddressPlan plan_addresses(const std::string& network, const Subnet& subnet, const IpamPool* pool) {
  AddressPlan out{subnet, {}, {}, {}};
  if (pool == nullptr) {
    out.gateway = subnet.nth(1);
    return out;
  }
  for (const auto& [name, text] : pool->aux_addresses)
    out.reserved.insert(within("auxiliary address", network, subnet, text));
  if (!pool->ip_range.empty()) {
    out.range = parse_subnet(what_of("IP range", network), pool->ip_range);
    if (!subnet.contains(out.range->base) || out.range->prefix < subnet.prefix)
      throw Error(ErrorKind::invalid, fmt::format("invalid network config: IP range {} of network {} is not within {}",
                                                  pool->ip_range, network, subnet.text()));
  }
  if (pool->gateway.empty()) {
    std::uint64_t n = 1;
    while (out.reserved.contains(subnet.nth(n)) && n + 2 < subnet.size()) ++n;
    out.gateway = subnet.nth(n);
    return out;
  }
  out.gateway = within("gateway", network, subnet, pool->gateway);
  if (out.gateway == subnet.base || is_broadcast(subnet, out.gateway))
    throw Error(ErrorKind::invalid, fmt::format("gateway {} of network {} is not an address within {}", pool->gateway,
                                                network, subnet.text()));
  if (out.reserved.contains(out.gateway))
    throw Error(ErrorKind::invalid,
                fmt::format("gateway {} of network {} is an auxiliary address, too", pool->gateway, network));
  return out;
}

bool is_usable(const AddressPlan& plan, const Address& address) {
  return plan.subnet.contains(address) && address != plan.subnet.base && !is_broadcast(plan.subnet, address) &&
         address != plan.gateway && !plan.reserved.contains(address);
}

std::optional<Address> next_address(const AddressPlan& plan, const std::function<bool(const Address&)>& taken,
                                    std::uint64_t after) {
  auto unfit = [&](const Address& address) { return !is_usable(plan, address) || taken(address); };
  return pick_address(plan.choose_from(), unfit, after);
}

std::string parse_mac(const std::string& text) {
  auto refuse = [&](const char* why) {
    throw Error(ErrorKind::invalid, fmt::format("'{}' {}", text, why), "write it as 02:42:ac:11:00:02");
  };
  bool shaped = text.size() == 17;
  std::string out;
  for (std::size_t i = 0; i < text.size() && shaped; ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    shaped = i % 3 == 2 ? c == ':' || c == '-' : std::isxdigit(c) != 0;
    out += i % 3 == 2 ? ':' : static_cast<char>(std::tolower(c));
  }
  if (!shaped) refuse("is not a link address");
  int first = std::stoi(out.substr(0, 2), nullptr, 16);
  if ((first & 1) != 0) refuse("is the address of a group, not of one interface");
  if (out == "00:00:00:00:00:00") refuse("is no address");
  return out;
}

}  // namespace gantry::network
