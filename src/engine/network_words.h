#pragma once

#include <string>
#include <vector>

#include "gantry/engine/types.h"
#include "gantry/network/network_manager.h"
#include "record.h"

/// Between the words of the engine and those of the network module. Pure, apart from require_bridge.
namespace gantry::engine {

/// What DNS answers with its address on that network.
std::vector<std::string> dns_names(const ContainerInfo& info, const NetworkAttachment& attachment);
network::EndpointSpec endpoint_spec(const ContainerInfo& info, const NetworkAttachment& attachment);
NetworkAddress to_address(const network::EndpointInfo& endpoint);
/// What the container is to publish.
const std::vector<PortBinding>& wanted_ports(const Record& record);
std::vector<network::PublishedPort> to_published(const std::vector<PortBinding>& ports);
std::vector<PortBinding> to_bindings(const std::vector<network::PublishedPort>& ports);
/// Error not_found for a network that is not there, invalid for one that containers have instead of networks.
void require_bridge(const network::NetworkManager& networks, const std::string& name_or_id);

}  // namespace gantry::engine
