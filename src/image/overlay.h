#pragma once

#include <sys/stat.h>
#include <sys/sysmacros.h>

/// What overlayfs keeps on disk (Documentation/filesystems/overlayfs.rst).
namespace gantry::image {

inline constexpr char kOpaque[] = "trusted.overlay.opaque";
inline constexpr char kOverlayPrefix[] = "trusted.overlay.";

inline bool is_whiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0); }

}  // namespace gantry::image
