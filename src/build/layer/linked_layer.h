#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "layer/tree_view.h"

/// COPY --link: a layer that was made without the ones below it, and may be put over any.
namespace gantry::build {

/// The directories of `image` on the way to `destination`, from the root on, and itself, as far as they are real
/// directories.
std::vector<std::pair<std::string, struct ::stat>> directories_to(const TreeView& image,
                                                                  const std::string& destination);
/// Gives those in `upper` the owners and modes that they have in `image`, where the layer would else change them.
void dress_directories(const std::filesystem::path& upper, const TreeView& image, const std::string& destination);

}  // namespace gantry::build
