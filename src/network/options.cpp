#include "options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "address.h"
#include "gantry/base/error.h"

namespace gantry::network {
namespace {

constexpr std::size_t kLongestLinkName = 15;  // IFNAMSIZ without its zero
constexpr std::size_t kLongestPrefix = 12;    // leaves room for the number of the link

[[noreturn]] void refuse(const std::string& key, const std::string& why, std::string fix = {}) {
  throw Error(ErrorKind::invalid, "network option " + key + ": " + why, std::move(fix));
}

bool to_bool(const std::string& key, const std::string& value) {
  constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "T", "true", "True", "TRUE"};
  constexpr std::array<std::string_view, 6> kFalse = {"0", "f", "F", "false", "False", "FALSE"};
  if (std::find(kTrue.begin(), kTrue.end(), value) != kTrue.end()) return true;
  if (std::find(kFalse.begin(), kFalse.end(), value) == kFalse.end())
    refuse(key, "'" + value + "' is neither true nor false");
  return false;
}

// IPv6 asks for 1280 at least, IPv4 for 68; the kernel's own limit for a veth is 65535.
int to_mtu(const std::string& key, const std::string& value) {
  int out = 0;
  auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), out);
  if (failed != std::errc() || end != value.data() + value.size() || out < 0 || out > 65535 || (out > 0 && out < 68))
    refuse(key, "'" + value + "' is not an MTU", "use a number from 68 to 65535, or 0 for the host's");
  return out;
}

bool is_link_name(std::string_view name, std::size_t longest) {
  if (name.empty() || name.size() > longest || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return c > ' ' && c < 0x7f && c != '/' && c != ':' && c != '%'; });
}

std::string to_bridge_name(const std::string& key, const std::string& value) {
  if (!is_link_name(value, kLongestLinkName))
    refuse(key, "'" + value + "' is not a name of a link", "use one to fifteen characters without '/', ':' and spaces");
  if (value.starts_with("gt") || value.starts_with("gv"))
    refuse(key, "'" + value + "': names that begin with gt and gv are those Gantry chooses itself",
           "choose another name, or leave the option out");
  return value;
}

// Published ports of such a network would be open where Docker closes them, or closed where it opens them.
void require_nat(const std::string& key, const std::string& value) {
  if (value.empty() || value == "nat") return;
  throw Error(ErrorKind::unsupported, "network option " + key + ": mode '" + value + "' is not supported",
              "leave it out; for a network without a way out use --internal");
}

}  // namespace

BridgeOptions parse_bridge_options(const std::map<std::string, std::string>& options) {
  BridgeOptions out;
  for (const auto& [key, value] : options) {
    if (key == "com.docker.network.driver.mtu") {
      if (int mtu = to_mtu(key, value); mtu > 0) out.mtu = mtu;
    } else if (key == "com.docker.network.bridge.enable_icc") {
      out.between_containers = to_bool(key, value);
    } else if (key == "com.docker.network.bridge.enable_ip_masquerade") {
      out.masquerade = to_bool(key, value);
    } else if (key == "com.docker.network.bridge.name") {
      if (!value.empty()) out.bridge = to_bridge_name(key, value);
    } else if (key == "com.docker.network.bridge.host_binding_ipv4") {
      if (!value.empty()) out.publish_address = parse_address("network option " + key, value).to_string();
    } else if (key == "com.docker.network.container_iface_prefix") {
      if (!is_link_name(value, kLongestPrefix))
        refuse(key, "'" + value + "' is not the beginning of a link's name", "use letters, as eth");
      out.interface_prefix = value;
    } else if (key == "com.docker.network.bridge.gateway_mode_ipv4" ||
               key == "com.docker.network.bridge.gateway_mode_ipv6") {
      require_nat(key, value);
    } else if (key == "com.docker.network.bridge.inhibit_ipv4") {
      if (to_bool(key, value))
        throw Error(ErrorKind::unsupported,
                    "network option " + key + ": a bridge without an address has no name service",
                    "leave it out; for a network without a way out use --internal");
    }
  }
  return out;
}

}  // namespace gantry::network
