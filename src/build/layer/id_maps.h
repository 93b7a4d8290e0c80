#pragma once

namespace gantry::build {

/// Whether mounts of a tmpfs can have mapped ids: Linux 6.3 (commit 7a80e5b8c6fa).
bool maps_ids_in_memory();

}  // namespace gantry::build
