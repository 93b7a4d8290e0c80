#include "create.h"

#include <algorithm>

#include "gantry/base/error.h"
#include "routes.h"

namespace gantry::api::docker {
namespace {

using engine::ContainerSpec;

std::optional<engine::HealthCheck> read_health(const Body& body) {
  if (!body.has("Healthcheck")) return std::nullopt;
  auto given = body.object("Healthcheck");
  engine::HealthCheck check;
  auto test = given.words("Test").value_or(std::vector<std::string>{});
  if (!test.empty() && test[0] == "NONE") {
    check.disable = true;
    return check;
  }
  if (!test.empty() && test[0] == "CMD") {
    check.test.assign(test.begin() + 1, test.end());
  } else if (!test.empty() && test[0] == "CMD-SHELL" && test.size() == 2) {
    check.shell = test[1];
  } else if (!test.empty()) {
    throw Error(ErrorKind::invalid,
                "invalid Healthcheck.Test: it begins with NONE, CMD or CMD-SHELL (with one string)");
  }
  auto take = [&](std::string_view key, Duration* out) {
    auto nanos = given.number(key);
    if (nanos < 0 || (nanos > 0 && nanos < 1'000'000))
      throw Error(ErrorKind::invalid, std::string(key) + " in Healthcheck cannot be less than 1ms");
    if (nanos > 0) *out = Duration(nanos);
  };
  take("Interval", &check.interval);
  take("Timeout", &check.timeout);
  take("StartPeriod", &check.start_period);
  take("StartInterval", &check.start_interval);
  if (given.number("Retries") < 0) throw Error(ErrorKind::invalid, "Retries in Healthcheck cannot be negative");
  if (given.number("Retries") > 0) check.retries = static_cast<int>(given.number("Retries"));
  return check;
}

}  // namespace

void read_attachment(const Body& endpoint, engine::NetworkAttachment* attachment) {
  attachment->aliases = endpoint.strings("Aliases");
  auto ipam = endpoint.object("IPAMConfig");
  if (auto address = ipam.text("IPv4Address"); !address.empty()) attachment->ipv4 = address;
  if (auto address = ipam.text("IPv6Address"); !address.empty()) attachment->ipv6 = address;
  if (auto mac = endpoint.text("MacAddress"); !mac.empty()) attachment->mac = mac;
  if (!ipam.strings("LinkLocalIPs").empty())
    throw Error(ErrorKind::unsupported, "link-local addresses of one's own choice are not supported",
                "leave --link-local-ip out");
  attachment->gateway_priority = static_cast<int>(endpoint.number("GwPriority"));
  attachment->driver_options = endpoint.map("DriverOpts");
  if (auto name = attachment->driver_options.find("com.docker.network.endpoint.ifname");
      name != attachment->driver_options.end())
    attachment->interface = name->second;
}

namespace {

/// The network mode decides the first network; the endpoints may add more, and say more of the first.
void read_networks(const Body& body, ContainerSpec* spec) {
  auto endpoints = body.object("NetworkingConfig").object("EndpointsConfig");
  if (spec->no_network || spec->namespaces.network) return;
  auto mode = spec->networks.empty() ? std::string(engine::kDefaultNetwork) : spec->networks.front().network;
  std::vector<engine::NetworkAttachment> all{{.network = mode}};
  for (const auto& [name, value] : endpoints.raw()) {
    auto network = engine_network(std::string(name) == "default" ? kBridge : std::string(name));
    auto same = std::ranges::find(all, network, &engine::NetworkAttachment::network);
    if (same == all.end()) same = all.insert(all.end(), engine::NetworkAttachment{.network = network});
    if (!value.is_null()) read_attachment(endpoints.object(name), &*same);
  }
  if (auto mac = body.text("MacAddress"); !mac.empty() && !all.front().mac) all.front().mac = mac;
  spec->networks = std::move(all);
}

}  // namespace

std::pair<std::uint16_t, engine::Protocol> parse_port(const std::string& text) {
  auto slash = text.find('/');
  auto number = text.substr(0, slash);
  auto protocol = slash == std::string::npos ? "tcp" : text.substr(slash + 1);
  if (protocol == "sctp")
    throw Error(ErrorKind::unsupported, "port " + text + ": SCTP is not supported", "use tcp or udp");
  bool digits =
      !number.empty() && number.size() <= 5 && std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || std::stoi(number) > 65535 || (protocol != "tcp" && protocol != "udp"))
    throw Error(ErrorKind::invalid, "invalid port specification: \"" + text + "\"");
  return {static_cast<std::uint16_t>(std::stoi(number)),
          protocol == "udp" ? engine::Protocol::udp : engine::Protocol::tcp};
}

ContainerSpec container_spec(const Body& body, std::string name) {
  ContainerSpec spec;
  spec.name = name.starts_with('/') ? name.substr(1) : std::move(name);
  spec.image = body.text("Image");
  if (spec.image.empty()) throw Error(ErrorKind::invalid, "no command or image specified");
  auto entrypoint = body.words("Entrypoint");
  // [""] takes the image's away and puts nothing in its place.
  if (entrypoint && entrypoint->size() == 1 && entrypoint->front().empty()) entrypoint->clear();
  if (entrypoint && (!entrypoint->empty() || body.find("Entrypoint")->is_array()))
    if (!entrypoint->empty() || body.words("Entrypoint")->size() == 1) spec.entrypoint = std::move(entrypoint);
  if (auto command = body.words("Cmd"); command && !command->empty()) spec.command = std::move(command);
  spec.environment = body.strings("Env");
  spec.user = body.text("User");
  spec.working_dir = body.text("WorkingDir");
  spec.hostname = body.text("Hostname");
  spec.domain_name = body.text("Domainname");
  spec.labels = body.map("Labels");
  spec.tty = body.flag("Tty");
  spec.open_stdin = body.flag("OpenStdin");
  spec.stdin_once = body.flag("StdinOnce");
  spec.exposed_ports = body.keys("ExposedPorts");
  for (const auto& port : spec.exposed_ports) (void)parse_port(port);
  for (const auto& target : body.keys("Volumes"))
    spec.mounts.push_back({.type = engine::MountType::volume, .target = target});
  if (auto signal = body.text("StopSignal"); !signal.empty()) spec.stop_signal = signal;
  if (auto seconds = body.integer("StopTimeout"))
    spec.stop_grace = std::chrono::seconds(*seconds < 0 ? 100L * 365 * 86400 : *seconds);
  spec.health = read_health(body);
  // Docker's default: sudo and the like work. The user namespace is what keeps them harmless.
  spec.security.no_new_privileges = false;
  read_host_config(body.object("HostConfig"), &spec);
  read_networks(body, &spec);
  return spec;
}

}  // namespace gantry::api::docker
