#pragma once

#include <cstdint>
#include <functional>

#include "gantry/oci/digest.h"

/// Archives from outside, unpacked below one directory and nowhere else.
namespace gantry::image {

struct UnpackOptions {
  /// OCI whiteouts (`.wh.x`, `.wh..wh..opq`) become overlayfs form. Off: they are files like others.
  bool whiteouts = true;
  /// Owners, devices and extended attributes as in the archive. Off: everything belongs to root, devices are refused
  /// and extended attributes left out (build contexts).
  bool attributes = true;
};

struct Unpacked {
  oci::Digest digest;       ///< of the uncompressed tar, every byte as received
  std::uint64_t bytes = 0;  ///< length of the uncompressed tar
  std::uint64_t entries = 0;
};

/// Reads a tar (plain, gzip, bzip2, xz, lzma, zstd, lz4) from `fd` to its end and creates what it holds below
/// `directory`, an open directory that is empty and that nobody else writes to. Names are resolved on directory
/// descriptors with openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS) (Linux 5.6): nothing outside is touched, whatever
/// the archive says. A leading '/' is dropped, ".." is refused; the last of several files of one name wins.
///
/// Extended attributes taken are user.*, security.capability and POSIX access lists; other security.* belong to the
/// machine that wrote the archive and are left out; all others, trusted.* among them, are refused.
///
/// Error invalid: not a tar, cut off, bytes after the end, or an entry that is refused (named). Error exhausted: the
/// disk is full, or would be left with less than a small reserve. What was created so far is left to the caller.
/// `progress` is called with the bytes read from `fd` so far.
Unpacked unpack_archive(int fd, int directory, const UnpackOptions& options,
                        const std::function<void(std::uint64_t)>& progress = {});

}  // namespace gantry::image
