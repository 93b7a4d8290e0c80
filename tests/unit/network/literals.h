#pragma once

#include "address.h"
#include "ipam.h"

namespace gantry::network {

inline Subnet net(std::string_view text) { return parse_subnet("test", text); }
inline Address ip(std::string_view text) { return parse_address("test", text); }

}  // namespace gantry::network
