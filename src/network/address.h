#pragma once

#include <boost/asio/ip/address.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gantry::network {

using Address = boost::asio::ip::address;

/// An IPv4 or IPv6 network: its first address and the prefix length.
struct Subnet {
  Address base;
  int prefix = 0;

  bool contains(const Address& address) const;
  bool overlaps(const Subnet& other) const;
  std::string text() const;
  /// The n-th address counted from the first. `n` must lie within the subnet.
  Address nth(std::uint64_t n) const;
  /// How many addresses there are, at most 2^32.
  std::uint64_t size() const;
  bool operator==(const Subnet&) const = default;
};

/// The subnet of this prefix length that `address` lies in.
Subnet subnet_of(const Address& address, int prefix);
/// "10.5.0.0/24" or "fd00::/64". Error invalid when malformed or when host bits are set; `what` names the value.
Subnet parse_subnet(std::string_view what, std::string_view text);
/// Error invalid when malformed; `what` names the value.
Address parse_address(std::string_view what, std::string_view text);
/// A locally administered address that carries the IPv4 address, so that it is unique within its bridge.
std::string mac_for(const Address& ipv4);
/// "4.3.2.1.in-addr.arpa." and the IPv6 form.
std::string reverse_name(const Address& address);
/// The address that a whole reverse name (in lower case, with or without the dot at the end) stands for.
std::optional<Address> address_of_reverse(std::string_view name);

}  // namespace gantry::network
