#pragma once

#include <vector>

#include "address.h"

namespace gantry::network {

/// Forgets the UDP flows that the kernel tracks to or from these addresses, so that a client that goes on sending is
/// not led to a container that is gone. TCP needs no such thing: its connections end. Blocking.
void forget_udp_flows(const std::vector<Address>& addresses);
/// The same for flows to these ports of the host that began before the port was published.
void forget_udp_ports(const std::vector<std::uint16_t>& ports);

}  // namespace gantry::network
