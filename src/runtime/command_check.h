#pragma once

#include "gantry/runtime/runtime.h"

namespace gantry::runtime {

/// With an init in front, the OCI runtime finds the init and not the user's program: looks for the program in the root
/// of the created container, mounts included. Error not_found or invalid, as the OCI runtime would have said. Blocks
/// shortly.
void require_command(pid_t container, const Plan& plan);

}  // namespace gantry::runtime
