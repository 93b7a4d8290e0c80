#include "ports.h"

#include <charconv>

#include "gantry/base/text.h"

namespace gantry::compose {

namespace {

struct Range {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  std::size_t size() const { return static_cast<std::size_t>(last - first) + 1; }
};

std::optional<std::uint16_t> parse_port(std::string_view text, bool zero_allowed) {
  std::uint16_t port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port != 0 || zero_allowed ? std::optional(port) : std::nullopt;
}

std::optional<Range> parse_range(std::string_view text, bool zero_allowed = false) {
  auto dash = text.find('-');
  auto first = parse_port(text.substr(0, dash), zero_allowed);
  auto last = dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1), false);
  if (!first || !last || *last < *first) return std::nullopt;
  return Range{*first, *last};
}

/// The parts of a port entry in either form, still as text.
struct PortDraft {
  std::string host_ip;
  std::string published;
  std::string target;
  std::string protocol = "tcp";
  std::string mode;
  std::string ignored;
};

/// A few characters must not become millions of ports.
constexpr std::size_t kMaximumPorts = 20'000;

constexpr Key<PortDraft> kPortKeys[] = {
    {"target", into<&PortDraft::target>},
    {"published", into<&PortDraft::published>},
    {"host_ip", into<&PortDraft::host_ip>},
    {"protocol", into<&PortDraft::protocol>},
    {"mode", into<&PortDraft::mode>},
    {"name", into<&PortDraft::ignored>},
    {"app_protocol", into<&PortDraft::ignored>},
};

/// [HOST_IP:][PUBLISHED:]TARGET[/PROTOCOL]; an IPv6 address stands in brackets.
std::optional<PortDraft> parse_short(std::string_view text) {
  PortDraft draft;
  if (auto slash = text.rfind('/'); slash != std::string_view::npos) {
    draft.protocol = lower(text.substr(slash + 1));
    text = text.substr(0, slash);
  }
  if (text.starts_with('[')) {
    auto closing = text.find("]:");
    if (closing == std::string_view::npos) return std::nullopt;
    draft.host_ip = text.substr(1, closing - 1);
    text.remove_prefix(closing + 2);
    if (text.find(':') == std::string_view::npos) return std::nullopt;
  }
  auto parts = split(text, ':');
  draft.target = parts.back();
  if (parts.size() >= 2) draft.published = parts[parts.size() - 2];
  if (parts.size() == 3 && draft.host_ip.empty()) {
    draft.host_ip = parts[0];
    if (draft.host_ip.empty()) return std::nullopt;
  } else if (parts.size() >= 3) {
    return std::nullopt;
  }
  return draft;
}

std::optional<Protocol> protocol_of(const Value& value, const std::string& name) {
  if (name == "tcp") return Protocol::tcp;
  if (name == "udp") return Protocol::udp;
  if (name == "sctp") {
    value.unsupported("Gantry does not support the protocol 'sctp' yet");
  } else {
    value.invalid(fmt::format("unknown protocol '{}': expected tcp or udp", name));
  }
  return std::nullopt;
}

void expand(const Value& value, const PortDraft& draft, const std::string& model_path, std::vector<Port>& out) {
  auto target = parse_range(draft.target);
  auto published = draft.published.empty() ? Range{} : parse_range(draft.published, true).value_or(Range{1, 0});
  if (!target) return value.invalid(fmt::format("'{}' is not a port from 1 to 65535 or a range of them", draft.target));
  if (published.last < published.first)
    return value.invalid(fmt::format("'{}' is not a port from 1 to 65535 or a range of them", draft.published));
  auto protocol = protocol_of(value, draft.protocol);
  if (!protocol) return;
  bool fixed = published.first != 0;
  bool choice = fixed && target->size() == 1 && published.size() > 1;
  if (fixed && !choice && target->size() != published.size())
    return value.invalid(fmt::format("the ranges '{}' and '{}' differ in length", draft.published, draft.target));
  value.reader().ports += target->size();
  if (value.reader().ports > kMaximumPorts)
    return value.invalid(fmt::format("the stack has more than {} ports", kMaximumPorts));
  for (std::size_t i = 0; i < target->size(); ++i) {
    Port port{.container_port = static_cast<std::uint16_t>(target->first + i), .protocol = *protocol};
    if (!draft.host_ip.empty()) port.host_ip = draft.host_ip;
    if (fixed) port.host_port = static_cast<std::uint16_t>(published.first + i);
    if (choice) port.host_port_end = static_cast<std::uint16_t>(published.last);
    value.writes(fmt::format("{}[{}]", model_path, out.size()));
    out.push_back(std::move(port));
  }
}

std::optional<PortDraft> read_long_port(const Value& value) {
  PortDraft draft;
  read_keys<PortDraft>(value, kPortKeys, draft);
  if (draft.target.empty()) {
    value.invalid("the key 'target' is missing");
    return std::nullopt;
  }
  if (!draft.mode.empty() && draft.mode != "host" && draft.mode != "ingress")
    value.invalid(fmt::format("unknown mode '{}': expected host or ingress", draft.mode));
  return draft;
}

}  // namespace

void read_ports(const Value& value, const std::string& model_path, std::vector<Port>& out) {
  if (!value.node().is_sequence()) return value.wrong_type("a list of ports");
  for (std::size_t i = 0; i < value.node().items.size(); ++i) {
    auto item = value.at(i);
    if (item.node().is_mapping()) {
      if (auto draft = read_long_port(item)) expand(item, *draft, model_path, out);
    } else if (auto text = item.string()) {
      auto draft = parse_short(*text);
      if (draft) {
        expand(item, *draft, model_path, out);
      } else {
        item.invalid(fmt::format("'{}' is not a port: expected [[HOST_IP:]PUBLISHED:]TARGET[/PROTOCOL]", *text));
      }
    }
  }
}

void read_expose(const Value& value, const std::string& model_path, std::vector<Port>& out) {
  std::vector<std::string> entries;
  if (!value.read(entries)) return;
  for (std::size_t i = 0; i < value.node().items.size(); ++i) {
    if (!value.node().items[i].is_scalar()) continue;
    auto draft = parse_short(value.node().items[i].text);
    if (draft && draft->published.empty() && draft->host_ip.empty()) {
      expand(value.at(i), *draft, model_path, out);
    } else {
      value.at(i).invalid(fmt::format("'{}' is not a container port", value.node().items[i].text));
    }
  }
}

std::string port_identity(const Node& node) {
  auto text = [&](std::string_view key) {
    const auto* found = node.find(key);
    return found != nullptr ? found->text : std::string();
  };
  PortDraft draft{.host_ip = text("host_ip"), .published = text("published"), .target = text("target")};
  if (auto protocol = text("protocol"); !protocol.empty()) draft.protocol = protocol;
  if (node.is_scalar()) draft = parse_short(node.text).value_or(PortDraft{.target = node.text});
  return fmt::format("{}|{}|{}|{}", draft.host_ip, draft.published, draft.target, draft.protocol);
}

}  // namespace gantry::compose
