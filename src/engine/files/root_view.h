#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/fd.h"

/// The root file system of a container that does not run, as it would see it: its layers under an overlay, volumes and
/// binds in their places. The mounts are attached nowhere and go with the descriptor. Owners are those the container
/// sees.
namespace gantry::engine {

struct ViewMount {
  std::string source;  ///< absolute on the host
  std::string target;
  bool read_only = false;
  bool recursive = true;
};

struct ViewPlan {
  std::vector<std::filesystem::path> layers;  ///< lowest first
  /// The writable layer and overlayfs' work directory; unset: nothing can be written.
  std::optional<std::filesystem::path> upper;
  std::filesystem::path work;
  bool read_only = false;
  std::vector<ViewMount> mounts;
};

/// Blocks shortly, on a thread of its own. Error not_found: a source of a mount is not there.
Fd mount_view(const ViewPlan& plan);

}  // namespace gantry::engine
