#pragma once

#include <map>
#include <optional>
#include <string>

namespace gantry::network {

/// What the options of Docker's bridge driver mean here. docs/network.md lists them.
struct BridgeOptions {
  std::optional<int> mtu;
  bool between_containers = true;        ///< com.docker.network.bridge.enable_icc
  bool masquerade = true;                ///< com.docker.network.bridge.enable_ip_masquerade
  std::string bridge;                    ///< com.docker.network.bridge.name; empty: chosen
  std::string publish_address;           ///< com.docker.network.bridge.host_binding_ipv4
  std::string interface_prefix = "eth";  ///< com.docker.network.container_iface_prefix
};

/// Error invalid for a value that is malformed, unsupported for one that would be promised and not kept. Unknown keys
/// mean nothing. Pure.
BridgeOptions parse_bridge_options(const std::map<std::string, std::string>& options);

}  // namespace gantry::network
