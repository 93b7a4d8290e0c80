#pragma once

#include <string>

#include "layer/tree_view.h"

namespace gantry::build {

/// From start to end of file, by reflink or inside the kernel where the file systems can, keeping holes is not
/// promised.
void copy_content(int in, int out, const std::string& shown);
/// user.*, security.capability and POSIX access lists onto `name` in `parent`, which is no link.
void copy_xattrs(const Node& from, int parent, const std::string& name);

}  // namespace gantry::build
