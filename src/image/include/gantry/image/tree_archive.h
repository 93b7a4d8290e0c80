#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gantry/base/fd.h"
#include "gantry/base/time.h"

/// Files of a container's tree as tar, both ways. The tree may be changed by hostile programs at any moment: every name
/// is resolved by the kernel inside `root` (openat2, RESOLVE_IN_ROOT, Linux 5.6), and what is found is acted on by
/// descriptor only, so that nothing outside the tree is ever read or written. What the kernel makes up (/proc, /sys,
/// the devices) is neither read nor written. All functions block.
namespace gantry::image {

/// The container's ids are the host's, less `host`. `size` 0: they are the host's.
struct IdShift {
  std::uint32_t host = 0;
  std::uint32_t size = 0;
};

struct PathStat {
  std::string name;        ///< the last part of the path; "/" for the root
  std::uint64_t size = 0;  ///< bytes
  std::uint32_t mode = 0;  ///< as st_mode: kind and permissions
  std::uint32_t uid = 0;   ///< as the container sees it
  std::uint32_t gid = 0;
  Timestamp mtime{};
  std::string link_target;  ///< of a symbolic link: the absolute path in the container that it leads to in the end
};
BOOST_DESCRIBE_STRUCT(PathStat, (), (name, size, mode, uid, gid, mtime, link_target))

/// A tar of what `path` names, made piece by piece. A directory comes with all that is in it, under its own name (as
/// "." when the path is "/" or ends in "/."); a symbolic link comes as itself, unless the path ends in "/" or "/.".
/// Sockets are left out; several names of one file are hard links. Extended attributes: user.* and security.capability.
class TreeArchive {
 public:
  /// Error not_found: nothing is there; invalid: it is made up by the kernel.
  TreeArchive(Fd root, const std::string& path, IdShift ids);
  TreeArchive(TreeArchive&&) noexcept;
  ~TreeArchive();
  const PathStat& status() const;
  /// The next piece of the tar, at most about 300 KiB; empty after its end. A file that changes meanwhile has the
  /// length it had when it was begun: cut, or filled up with zeros.
  std::string next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct PutOptions {
  /// Neither is a directory replaced by something else, nor something else by a directory: Error invalid.
  bool keep_kinds = false;
  struct Owner {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
  };
  std::optional<Owner> owner;  ///< of everything, instead of the archive's
  IdShift ids;
};

/// Unpacks a tar (plain or compressed as for `unpack_archive`) from `fd` into the directory `path`, links on the way
/// followed inside the tree. Names with ".." and devices are refused; other kinds of files replace what is there, a
/// directory is merged with one that is there. A file that something is mounted on gets the new content in its place.
/// Error not_found: no such directory; invalid: `path` is no directory, or an entry is refused (named); denied: the
/// file system is read-only; exhausted: the disk is full, or would be left with less than a small reserve.
void put_archive(int fd, int root, const std::string& path, const PutOptions& options);

}  // namespace gantry::image
