#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string_view>

namespace gantry::image {

/// All of `piece` at `offset`. False when it cannot be written; errno says why.
inline bool write_at(int fd, std::string_view piece, std::uint64_t offset) {
  while (!piece.empty()) {
    ssize_t n = ::pwrite(fd, piece.data(), piece.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    piece.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return true;
}

}  // namespace gantry::image
