#pragma once

#include "yaml.h"

namespace gantry::compose {

/// Lays `over` upon `base` by the merge rules of the Compose specification. `path` is where both stand in the file
/// ({} for whole files, {"services", "web"} for one service). `!reset` and `!override` in `over` are obeyed.
void merge(Node& base, Node over, const std::vector<std::string>& path);
/// Removes what is still tagged `!reset`, and forgets `!override`.
void settle_tags(Node& node);
/// The number of values in a tree.
std::size_t count_nodes(const Node& node);

}  // namespace gantry::compose
