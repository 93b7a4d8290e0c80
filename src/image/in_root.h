#pragma once

#include <sys/stat.h>

#include <string>

#include "gantry/base/fd.h"

/// Names resolved inside a tree that others may change meanwhile.
namespace gantry::image {

/// `path` below `root`, which a ".." or an absolute link cannot leave. -1 and errno like open(2).
int open_in_root(int root, const std::string& path, int flags);
/// The path of an open file for the calls that take no descriptor opened with O_PATH. It leads to that file and to
/// nothing else.
std::string through(int fd);
/// Lies in a file system that the kernel makes up.
bool is_kernels_own(int fd);

/// The parts of a path: where it lies, and its last name.
struct Place {
  std::string directory;  ///< "/" or "/a/b"
  std::string name;       ///< empty: the root itself
  bool follow = false;    ///< the path ends in "/" or "/.": a link at its end is followed
  bool content = false;   ///< it ends in "/."
};
Place place_of(const std::string& path);

}  // namespace gantry::image
