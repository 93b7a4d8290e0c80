#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>
#include <vector>

#include "gantry/base/fd.h"

namespace gantry::image {

struct TreeEntry {
  int parent;  ///< descriptor of the directory it is in
  const std::string& name;
  const std::string& path;  ///< relative to where the walk began
  const struct stat& info;
};

/// What is in `directory`, sorted by bytes. Throws Error, which calls the directory `shown`.
std::vector<std::string> sorted_names(int directory, const std::string& shown);

/// Calls `visit` for everything below `directory`, depth first, the names of a directory sorted by their bytes and a
/// directory before its content. Follows no links. The order of visits is part of the layer format.
void walk_tree(int directory, const std::function<void(const TreeEntry&)>& visit);

/// The path of an entry through its parent's descriptor, for the calls that take no descriptor (xattr). Its last
/// component is the only one that could be a link.
std::string through_descriptor(int parent, const std::string& name);

}  // namespace gantry::image
