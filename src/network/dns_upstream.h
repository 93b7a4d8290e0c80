#pragma once

#include <optional>
#include <vector>

#include "dns_message.h"
#include "gantry/base/async.h"

namespace gantry::network {

/// Asks the servers in turn, twice each at most, until one answers; a fresh id and a fresh port for every attempt.
/// nullopt when none does. The answer carries the id of `query`. `tcp` asks over TCP, for answers of any size.
task<std::optional<Packet>> ask_upstream(Packet query, std::vector<Address> servers, bool tcp, std::uint16_t port = 53);

}  // namespace gantry::network
