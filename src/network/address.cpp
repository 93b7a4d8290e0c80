#include "address.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "gantry/base/error.h"

namespace gantry::network {
namespace {

using Bytes = std::array<unsigned char, 16>;

Bytes bytes_of(const Address& address) {
  Bytes out{};
  if (address.is_v4()) {
    auto four = address.to_v4().to_bytes();
    std::copy(four.begin(), four.end(), out.begin());
  } else {
    auto sixteen = address.to_v6().to_bytes();
    std::copy(sixteen.begin(), sixteen.end(), out.begin());
  }
  return out;
}

Address address_from(const Bytes& bytes, bool v4) {
  if (v4) return boost::asio::ip::address_v4({bytes[0], bytes[1], bytes[2], bytes[3]});
  return boost::asio::ip::address_v6(bytes);
}

int width(const Address& address) { return address.is_v4() ? 32 : 128; }

}  // namespace

Subnet subnet_of(const Address& address, int prefix) {
  auto bytes = bytes_of(address);
  for (int i = 0; i < 16; ++i) {
    int kept = std::clamp(prefix - i * 8, 0, 8);
    bytes[static_cast<std::size_t>(i)] &= static_cast<unsigned char>(0xff00 >> kept);
  }
  return {address_from(bytes, address.is_v4()), prefix};
}

bool Subnet::contains(const Address& address) const {
  return address.is_v4() == base.is_v4() && subnet_of(address, prefix).base == base;
}

bool Subnet::overlaps(const Subnet& other) const {
  return prefix <= other.prefix ? contains(other.base) : other.contains(base);
}

std::string Subnet::text() const { return fmt::format("{}/{}", base.to_string(), prefix); }

Address Subnet::nth(std::uint64_t n) const {
  auto bytes = bytes_of(base);
  std::size_t last = base.is_v4() ? 3 : 15;
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[last - i] = static_cast<unsigned char>(bytes[last - i] | ((n >> (8 * i)) & 0xff));
  }
  return address_from(bytes, base.is_v4());
}

std::uint64_t Subnet::size() const { return std::uint64_t{1} << std::min(width(base) - prefix, 32); }

Address parse_address(std::string_view what, std::string_view text) {
  boost::system::error_code failed;
  auto address = boost::asio::ip::make_address(text, failed);
  if (failed) throw Error(ErrorKind::invalid, fmt::format("{}: '{}' is not an IP address", what, text));
  return address;
}

Subnet parse_subnet(std::string_view what, std::string_view text) {
  auto slash = text.find('/');
  int prefix = -1;
  if (slash != text.npos) {
    auto digits = text.substr(slash + 1);
    auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
    if (failed != std::errc() || end != digits.data() + digits.size()) prefix = -1;
  }
  auto address = parse_address(what, text.substr(0, slash));
  if (prefix < 0 || prefix > width(address))
    throw Error(ErrorKind::invalid, fmt::format("{}: '{}' is not a subnet such as 10.5.0.0/24", what, text));
  auto subnet = subnet_of(address, prefix);
  if (subnet.base != address)
    throw Error(ErrorKind::invalid, fmt::format("{}: '{}' is an address within {}", what, text, subnet.text()),
                "write " + subnet.text());
  return subnet;
}

std::string mac_for(const Address& ipv4) {
  auto bytes = bytes_of(ipv4);
  return fmt::format("0a:67:{:02x}:{:02x}:{:02x}:{:02x}", bytes[0], bytes[1], bytes[2], bytes[3]);
}

std::string reverse_name(const Address& address) {
  auto bytes = bytes_of(address);
  if (address.is_v4()) return fmt::format("{}.{}.{}.{}.in-addr.arpa.", bytes[3], bytes[2], bytes[1], bytes[0]);
  std::string out;
  for (int i = 15; i >= 0; --i) {
    auto byte = bytes[static_cast<std::size_t>(i)];
    out += fmt::format("{:x}.{:x}.", byte & 0xf, byte >> 4);
  }
  return out + "ip6.arpa.";
}

namespace {

// The labels before `suffix`, last one first; empty when there are not `count` of them.
std::vector<std::string_view> labels_before(std::string_view name, std::string_view suffix, std::size_t count) {
  if (!name.ends_with(suffix)) return {};
  name.remove_suffix(suffix.size());
  std::vector<std::string_view> out;
  while (!name.empty()) {
    auto dot = name.rfind('.');
    out.push_back(dot == name.npos ? name : name.substr(dot + 1));
    name = dot == name.npos ? std::string_view() : name.substr(0, dot);
  }
  return out.size() == count ? out : std::vector<std::string_view>();
}

std::optional<unsigned> number_in(std::string_view text, int base, unsigned limit) {
  unsigned out = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  if (failed != std::errc() || end != text.data() + text.size() || out > limit) return std::nullopt;
  return out;
}

}  // namespace

std::optional<Address> address_of_reverse(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (auto four = labels_before(name, ".in-addr.arpa", 4); !four.empty()) {
    boost::asio::ip::address_v4::bytes_type bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      auto value = number_in(four[i], 10, 255);
      if (!value) return std::nullopt;
      bytes[i] = static_cast<unsigned char>(*value);
    }
    return boost::asio::ip::address_v4(bytes);
  }
  auto nibbles = labels_before(name, ".ip6.arpa", 32);
  if (nibbles.empty()) return std::nullopt;
  boost::asio::ip::address_v6::bytes_type bytes{};
  for (std::size_t i = 0; i < nibbles.size(); ++i) {
    auto value = number_in(nibbles[i], 16, 15);
    if (!value) return std::nullopt;
    bytes[i / 2] = static_cast<unsigned char>(bytes[i / 2] << 4 | *value);
  }
  return boost::asio::ip::address_v6(bytes);
}

}  // namespace gantry::network
