#include "subnet_pool.h"

#include <algorithm>

#include "gantry/base/ids.h"

namespace gantry::network {
namespace {

// Only the pools of this file are cut into pieces, so 32 bits of piece number are enough.
Subnet piece(const Subnet& pool, int prefix, std::uint64_t n) {
  if (pool.base.is_v4()) {
    auto base = pool.base.to_v4().to_uint() + static_cast<std::uint32_t>(n << (32 - prefix));
    return {boost::asio::ip::address_v4(base), prefix};
  }
  auto bytes = pool.base.to_v6().to_bytes();
  for (std::size_t bit = 0; bit < static_cast<std::size_t>(prefix - pool.prefix); ++bit) {
    auto at = static_cast<std::size_t>(prefix - 1) - bit;
    if (((n >> bit) & 1) != 0) bytes[at / 8] = static_cast<unsigned char>(bytes[at / 8] | (0x80 >> (at % 8)));
  }
  return {boost::asio::ip::address_v6(bytes), prefix};
}

}  // namespace

Subnet ipv4_pool() { return parse_subnet("IPv4 pool", "10.64.0.0/10"); }

Subnet random_unique_local() {
  auto hex = random_hex(10);
  return parse_subnet("IPv6 pool", "fd" + hex.substr(0, 2) + ":" + hex.substr(2, 4) + ":" + hex.substr(6, 4) + "::/48");
}

std::optional<Subnet> pick_subnet(const Subnet& pool, int prefix, const std::vector<Subnet>& used,
                                  std::uint64_t start) {
  std::uint64_t count = std::uint64_t{1} << (prefix - pool.prefix);
  for (std::uint64_t i = 0; i < count; ++i) {
    auto candidate = piece(pool, prefix, (start + i) % count);
    bool taken = std::any_of(used.begin(), used.end(), [&](const Subnet& other) { return other.overlaps(candidate); });
    if (!taken) return candidate;
  }
  return std::nullopt;
}

std::optional<Address> pick_address(const Subnet& range, const std::function<bool(const Address&)>& taken,
                                    std::uint64_t after) {
  auto size = range.size();
  for (std::uint64_t i = 1; i <= size; ++i) {
    auto candidate = range.nth((after + i) % size);
    if (!taken(candidate)) return candidate;
  }
  return std::nullopt;
}

namespace {

std::uint64_t low_bits(const Address& address) {
  if (address.is_v4()) return address.to_v4().to_uint();
  auto bytes = address.to_v6().to_bytes();
  std::uint64_t low = 0;
  for (std::size_t i = 12; i < 16; ++i) low = (low << 8) | bytes[i];
  return low;
}

}  // namespace

std::uint64_t index_in(const Subnet& subnet, const Address& address) {
  return (low_bits(address) - low_bits(subnet.base)) % subnet.size();
}

}  // namespace gantry::network
