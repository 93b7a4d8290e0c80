#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <charconv>

#include "gantry/base/error.h"
#include "parse.h"
#include "text.h"

namespace gantry::cli {
namespace {

struct Range {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::uint32_t size() const { return last - first + 1; }
};

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  throw Error(ErrorKind::invalid, fmt::format("-p '{}': {}", text, why),
              "write [[ADDRESS:]HOST_PORT:]CONTAINER_PORT[/tcp|udp], for example 8080:80");
}

std::uint32_t parse_port(std::string_view digits, std::string_view text) {
  std::uint32_t port = 0;
  auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (failed != std::errc() || end != digits.data() + digits.size() || port == 0 || port > 65535)
    refuse(text, fmt::format("'{}' is not a port between 1 and 65535", digits));
  return port;
}

Range parse_range(std::string_view digits, std::string_view text) {
  auto [first, last, found] = cut(digits, '-');
  Range range{parse_port(first, text), 0};
  range.last = found ? parse_port(last, text) : range.first;
  if (range.last < range.first) refuse(text, "the range ends before it begins");
  return range;
}

void check_address(const std::string& address, std::string_view text) {
  std::array<unsigned char, 16> buffer{};
  if (::inet_pton(AF_INET, address.c_str(), buffer.data()) != 1 &&
      ::inet_pton(AF_INET6, address.c_str(), buffer.data()) != 1)
    refuse(text, fmt::format("'{}' is not an address", address));
}

struct Fields {
  std::string address;
  std::string host;  ///< empty: any free port
  std::string container;
};

/// Splits from the right, because an IPv6 address has colons of its own.
Fields split_fields(std::string rest, std::string_view text) {
  Fields fields;
  auto last = rest.rfind(':');
  if (last == std::string::npos) {
    fields.container = rest;
    return fields;
  }
  fields.container = rest.substr(last + 1);
  rest.resize(last);
  auto bracket = rest.rfind(']');
  auto colon = rest.rfind(':');
  bool has_address = colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
  if (!has_address) {
    if (bracket != std::string::npos) refuse(text, "a host port is missing after the address");
    fields.host = rest;
    return fields;
  }
  fields.host = rest.substr(colon + 1);
  fields.address = rest.substr(0, colon);
  if (fields.address.starts_with('[') && fields.address.ends_with(']'))
    fields.address = fields.address.substr(1, fields.address.size() - 2);
  check_address(fields.address, text);
  return fields;
}

engine::Protocol parse_protocol(std::string_view name, std::string_view text) {
  if (name == "tcp") return engine::Protocol::tcp;
  if (name == "udp") return engine::Protocol::udp;
  refuse(text, fmt::format("protocol '{}' is neither tcp nor udp", name));
}

}  // namespace

std::vector<engine::PortBinding> parse_ports(std::string_view text) {
  auto [rest, protocol_name, has_protocol] = cut(text, '/');
  auto protocol = has_protocol ? parse_protocol(protocol_name, text) : engine::Protocol::tcp;
  auto fields = split_fields(rest, text);
  auto container = parse_range(fields.container, text);
  std::optional<Range> host;
  // "0" is Docker's other way to say any free port.
  if (!fields.host.empty() && fields.host != "0") host = parse_range(fields.host, text);
  std::vector<engine::PortBinding> bindings;
  if (host && container.size() == 1 && host->size() > 1) {
    bindings.push_back({fields.address, static_cast<std::uint16_t>(host->first),
                        static_cast<std::uint16_t>(container.first), protocol, static_cast<std::uint16_t>(host->last)});
    return bindings;
  }
  if (host && host->size() != container.size()) refuse(text, "the two ranges have different lengths");

  for (std::uint32_t i = 0; i < container.size(); ++i) {
    auto host_port = host ? static_cast<std::uint16_t>(host->first + i) : std::uint16_t{0};
    bindings.push_back({fields.address, host_port, static_cast<std::uint16_t>(container.first + i), protocol});
  }
  return bindings;
}

}  // namespace gantry::cli
