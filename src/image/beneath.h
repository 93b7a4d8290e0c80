#pragma once

#include <string>

#include "gantry/base/fd.h"

namespace gantry::image {

enum class Links {
  refuse,  ///< none on the way, none at the end
  inside,  ///< followed as long as they stay below the root
};

/// openat2 with RESOLVE_BENEATH (Linux 5.6): `path` below the open directory `root` and nowhere else. An invalid Fd
/// with errno set when that fails.
Fd open_beneath(int root, const std::string& path, int flags, Links links = Links::refuse);

}  // namespace gantry::image
