#pragma once

namespace gantry::shim {

/// The whole life of a shim. Working directory: the container's (or exec's) directory, with `plan` in it; descriptor 3:
/// the bound socket `shim.sock`.
int run();

}  // namespace gantry::shim
