#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>

#include "gantry/base/error.h"

namespace gantry::image {

/// All of `piece` at `offset`. An Error begins with `what`.
inline void write_at(int fd, std::string_view piece, std::uint64_t offset, const std::string& what) {
  while (!piece.empty()) {
    ssize_t n = ::pwrite(fd, piece.data(), piece.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno(what + ": write");
    piece.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

}  // namespace gantry::image
