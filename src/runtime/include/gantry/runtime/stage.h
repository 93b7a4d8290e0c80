#pragma once

namespace gantry::runtime {

/// Where, in the shim's private mount namespace only, the container's root (`/r`) and binds (`/m/<n>`) are mounted: a
/// directory that every Linux system has (Filesystem Hierarchy Standard) and that any user may walk through.
inline constexpr char kStage[] = "/mnt";

}  // namespace gantry::runtime
