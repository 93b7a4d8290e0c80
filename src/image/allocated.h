#pragma once

#include <sys/stat.h>

#include <cstdint>

namespace gantry::image {

/// Bytes that a file occupies: st_blocks counts 512 of them, whatever the file system's own size.
inline std::uint64_t allocated(const struct stat& info) { return static_cast<std::uint64_t>(info.st_blocks) * 512; }

}  // namespace gantry::image
