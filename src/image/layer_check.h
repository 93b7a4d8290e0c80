#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "gantry/image/check.h"

namespace gantry::image {

struct LayerToCheck {
  std::filesystem::path directory;  ///< holds the layer, and its recipe if there is one
  std::string diff_id;
  bool canonical = false;  ///< its tar is made by fixed rules
};

struct CheckedLayer {
  bool comparable = true;  ///< false: nobody can say what it should be
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;  ///< of its tar
  std::vector<FileFault> faults;
};

/// Reads everything of a layer that nobody changes meanwhile: its tar is made again and must have the digest, and the
/// files on disk must be those that its entries describe, with their attributes and nothing beside them. `progress`
/// hears how many bytes of the tar have been read, and may throw to end it. Blocking; one thread more while it lasts.
CheckedLayer check_layer(const LayerToCheck& layer, const std::function<void(std::uint64_t)>& progress);

}  // namespace gantry::image
