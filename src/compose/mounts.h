#pragma once

#include "value.h"

namespace gantry::compose {

/// `volumes` of a service: short and long form.
void read_mounts(const Value& value, const std::string& model_path, std::vector<Mount>& out);
/// `tmpfs`: PATH[:OPTION,...], one or a list.
void read_tmpfs(const Value& value, const std::string& model_path, std::vector<Mount>& out);
/// What makes two entries of `volumes` or `tmpfs` the same one when files are merged: the target.
std::string mount_identity(const Node& node);
std::string tmpfs_identity(const Node& node);

}  // namespace gantry::compose
