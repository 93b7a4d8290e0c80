#pragma once

namespace gantry::shim {

/// The whole life of a shim. `kind`: the namespaces it makes while it waits: "mapped", "host" or "plain" for none. On
/// descriptor 3 it says which process holds them, and receives the container's (or exec's) directory, with `plan` in
/// it, and the bound socket `shim.sock`.
int run(const char* kind);

}  // namespace gantry::shim
