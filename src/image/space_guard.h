#pragma once

#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "gantry/base/error.h"

namespace gantry::image {

/// A full disk would stop the store too, and with it the whole daemon, so a little is always left.
class SpaceGuard {
 public:
  explicit SpaceGuard(int directory) : directory_(directory) { check(); }
  /// Error (exhausted) when less than the reserve would be left.
  void wrote(std::uint64_t bytes) {
    since_ += bytes;
    if (since_ < kCheckEvery) return;
    since_ = 0;
    check();
  }

 private:
  static constexpr std::uint64_t kLargestReserve = 64u << 20;
  static constexpr std::uint64_t kCheckEvery = 16u << 20;

  void check() const {
    struct statvfs info {};
    if (::fstatvfs(directory_, &info) < 0) throw_errno("inspect the file system");
    auto size = static_cast<std::uint64_t>(info.f_blocks) * info.f_frsize;
    auto free = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
    if (free < std::min(kLargestReserve, size / 100)) throw system_error(ENOSPC, "unpack archive");
  }

  int directory_;
  std::uint64_t since_ = 0;
};

}  // namespace gantry::image
