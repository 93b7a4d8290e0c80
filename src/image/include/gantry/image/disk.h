#pragma once

#include <cstdint>

namespace gantry::image {

/// Bytes the files below `directory` (an open directory) occupy, each counted once. Blocking.
std::uint64_t disk_usage(int directory);

}  // namespace gantry::image
