#include "network_words.h"

#include <algorithm>

#include "sharing.h"

namespace gantry::engine {

std::vector<NetworkAttachment> attachments_of(const ContainerInfo& info) {
  if (info.networks) return *info.networks;
  if (info.spec.no_network || !has_own_network(info.spec)) return {};
  if (!info.spec.networks.empty()) return info.spec.networks;
  return {NetworkAttachment{.network = kDefaultNetwork}};
}

std::vector<std::string> dns_names(const ContainerInfo& info, const NetworkAttachment& attachment) {
  std::vector<std::string> out = {info.spec.name, short_id(info.id)};
  if (!info.spec.hostname.empty()) out.push_back(info.spec.hostname);
  out.insert(out.end(), attachment.aliases.begin(), attachment.aliases.end());
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

network::EndpointSpec endpoint_spec(const ContainerInfo& info, const NetworkAttachment& attachment) {
  network::EndpointSpec out;
  out.container = info.id;
  out.network = attachment.network;
  out.names = dns_names(info, attachment);
  out.ipv4 = attachment.ipv4;
  out.ipv6 = attachment.ipv6;
  out.mac = attachment.mac;
  out.interface = attachment.interface;
  out.priority = attachment.gateway_priority;
  return out;
}

NetworkAddress to_address(const network::EndpointInfo& endpoint) {
  NetworkAddress out;
  out.network = endpoint.network;
  out.network_id = endpoint.network_id;
  out.endpoint_id = endpoint.id;
  out.ipv4 = endpoint.ipv4;
  out.ipv6 = endpoint.ipv6;
  out.prefix4 = endpoint.prefix4;
  out.prefix6 = endpoint.prefix6;
  out.gateway = endpoint.gateway;
  out.gateway6 = endpoint.gateway6;
  out.mac = endpoint.mac;
  out.aliases = endpoint.names;
  return out;
}

// Rows of an earlier version have no resolved ports.
const std::vector<PortBinding>& wanted_ports(const Record& record) {
  const auto& resolved = record.internals.resolved.ports;
  return resolved.empty() ? record.info.spec.ports : resolved;
}

std::vector<network::PublishedPort> to_published(const std::vector<PortBinding>& ports) {
  std::vector<network::PublishedPort> out;
  for (const auto& port : ports) {
    bool range = port.host_port_end != 0;
    out.push_back({.host_ip = port.host_ip,
                   .host_port = range ? std::uint16_t{0} : port.host_port,
                   .container_port = port.container_port,
                   .udp = port.protocol == Protocol::udp,
                   .range_first = range ? port.host_port : std::uint16_t{0},
                   .range_last = port.host_port_end});
  }
  return out;
}

std::vector<PortBinding> to_bindings(const std::vector<network::PublishedPort>& ports) {
  std::vector<PortBinding> out;
  for (const auto& port : ports)
    out.push_back({port.host_ip, port.host_port, port.container_port, port.udp ? Protocol::udp : Protocol::tcp});
  return out;
}

void require_bridge(const network::NetworkManager& networks, const std::string& name_or_id) {
  if (name_or_id == kDefaultNetwork || name_or_id == network::kDockersDefault) return;
  auto info = networks.inspect(name_or_id);
  if (info.bridge.empty())
    throw Error(ErrorKind::invalid, "network " + info.spec.name + " is not one that a container is attached to",
                "choose it as the container's only network mode, with --network " + info.spec.name);
}

}  // namespace gantry::engine
