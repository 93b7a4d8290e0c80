#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "layer/tree_view.h"

/// What a RUN step needs in its upper directory, and what it must not leave there.
namespace gantry::build {

/// Puts a here-document that names its own interpreter into the root as an executable file. Returns its name.
std::string place_script(const std::filesystem::path& upper, const std::string& content);
void remove_script(const std::filesystem::path& upper);

/// Removes an empty file or directory; anything else, and what is not there, stays as it is. The path has no links.
void remove_if_empty(const std::filesystem::path& upper, const std::vector<std::string>& path);

/// Containers get /etc/resolv.conf, /proc and the like mounted; where the image has no such name, the runtime makes an
/// empty one in the upper directory, which is no part of what the step did. `below`: the layers under the step.
void remove_mount_points(const std::filesystem::path& upper, const TreeView* below);

}  // namespace gantry::build
