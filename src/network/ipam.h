#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "address.h"
#include "gantry/network/types.h"

/// What a network's specification says about addresses. Pure.
namespace gantry::network {

/// One family of a network whose subnet is settled.
struct AddressPlan {
  Subnet subnet;
  Address gateway;
  std::optional<Subnet> range;  ///< addresses are chosen from here
  std::set<Address> reserved;   ///< of other machines

  const Subnet& choose_from() const { return range ? *range : subnet; }
};

struct WantedPools {
  std::optional<IpamPool> v4;
  std::optional<IpamPool> v6;
};
/// The entries of `ipam`, and `subnet` with `gateway`, by family. Error invalid for what is malformed, or for two
/// subnets of one family.
WantedPools wanted_pools(const NetworkSpec& spec);

/// `pool` (null: nothing is wanted) within `subnet`. Error invalid names what does not lie within it.
AddressPlan plan_addresses(const std::string& network, const Subnet& subnet, const IpamPool* pool);

/// The subnet of a wanted pool; refuses one in which containers have no room.
Subnet wanted_subnet(const std::string& network, const IpamPool& pool);

/// The next address to lease after `after` (unset: from the beginning), wrapping; never the network's own address, an
/// IPv4 broadcast address, the gateway, a reserved one, or one that is `taken`.
std::optional<Address> next_address(const AddressPlan& plan, const std::function<bool(const Address&)>& taken,
                                    std::uint64_t after);
/// True for an address of the subnet that a container may have.
bool is_usable(const AddressPlan& plan, const Address& address);

/// "0a:67:..." in lower case. Error invalid when malformed, or when it is not one interface's own.
std::string parse_mac(const std::string& text);

}  // namespace gantry::network
