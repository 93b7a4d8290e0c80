#pragma once

#include <string>

#include "../services.h"

namespace gantry::api::docker {

/// Error (conflict) in Docker's words, which name the container that has the name. An empty name is free.
void require_free_name(Services& services, const std::string& name);

}  // namespace gantry::api::docker
