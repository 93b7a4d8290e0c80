#pragma once

#include <cstdint>
#include <string>

#include "gantry/compose/compose.h"
#include "gantry/engine/types.h"
#include "gantry/network/network_manager.h"

/// Compose's words to the engine's. Pure.
namespace gantry::platform {

/// Throws Error (unsupported) with one finding per setting of the stack that the engine cannot honour yet, so that
/// nothing a user wrote is silently left out.
void require_supported(const compose::Stack& stack);

engine::ContainerSpec container_spec(const compose::Stack& stack, const compose::Service& service, std::uint32_t index,
                                     std::int64_t release, const std::string& hash);
network::NetworkSpec network_spec(const compose::Stack& stack, const compose::Network& network);

/// What a replica's container must have been made from to be kept: the service's settings, the image, and the
/// networks and volumes it uses.
std::string wanted_hash(const compose::Stack& stack, const compose::Service& service, const std::string& image_id);

}  // namespace gantry::platform
