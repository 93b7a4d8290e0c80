#pragma once

#include <string>

#include "gantry/engine/types.h"

namespace gantry::engine {

/// Error invalid when the mount that `source` lies on sends or receives no later mounts as `wanted` needs it. Blocking.
void require_propagation(const std::string& source, Propagation wanted);

}  // namespace gantry::engine
