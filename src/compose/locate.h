#pragma once

#include <string>

#include "value.h"

namespace gantry::compose {

/// Where in the file the model's `path` comes from: as a reader wrote it down, else the deepest node of the merged
/// file that the path leads to.
Written locate(const std::string& path, const Node& root, const Reader& reader);

}  // namespace gantry::compose
