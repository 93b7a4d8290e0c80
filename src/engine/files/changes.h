#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "gantry/engine/types.h"
#include "layer_view.h"

/// What a container has changed in its root file system.
namespace gantry::engine {

struct Changes {
  std::vector<Change> list;
  /// What only stands there for something to be mounted on (/etc/hosts, /proc and the like): no change of the
  /// container's. Relative paths in the writable layer.
  std::set<std::string> mount_points;
};

/// `upper` against `layers` (lowest first). A directory is listed when it itself has changed, or when a name was added
/// to it or taken away; what a removed directory held is not. Blocking; the layers may be in use.
Changes find_changes(const LayerPaths& layers, const std::filesystem::path& upper);

}  // namespace gantry::engine
