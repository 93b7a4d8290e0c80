#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "address.h"

namespace gantry::network {

/// IPv4 subnets are pieces of 10.64.0.0/10; IPv6 subnets are /64s of one random unique local /48 per instance.
Subnet ipv4_pool();
/// A new "fdxx:xxxx:xxxx::/48" with forty random bits (RFC 4193).
Subnet random_unique_local();

/// A subnet of `prefix` within `pool` that overlaps nothing in `used`. `start` says where the search begins (taken
/// modulo the pool's size); nullopt when there is none.
std::optional<Subnet> pick_subnet(const Subnet& pool, int prefix, const std::vector<Subnet>& used, std::uint64_t start);

/// The lowest address of `range` after the one at position `after` (wrapping) that is not `taken`. Going on after the
/// last one keeps an address from being reused at once.
std::optional<Address> pick_address(const Subnet& range, const std::function<bool(const Address&)>& taken,
                                    std::uint64_t after);
/// The position of an address in its subnet, as far as it goes into 32 bits.
std::uint64_t index_in(const Subnet& subnet, const Address& address);

}  // namespace gantry::network
