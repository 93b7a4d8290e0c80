#pragma once

#include <string>
#include <vector>

#include "address.h"
#include "gantry/base/fd.h"
#include "gantry/network/network_manager.h"

/// Host ports while they are published: a bound socket that never receives keeps other programs from taking the port.
namespace gantry::network {

/// Sockets bound for one published port (one per IP family).
using PortHold = std::vector<Fd>;

/// Binds the port on its host address, or on every address of both families. A `host_port` of 0 is replaced by a free
/// one. Error conflict names the port and the process that has it, invalid an address that is not this host's.
/// Blocking.
PortHold hold_port(PublishedPort& port);

/// "process 'nginx' (pid 12)" for whoever has a socket on this port, empty when not known. Blocking.
std::string port_owner(std::uint16_t port, bool udp);

}  // namespace gantry::network
