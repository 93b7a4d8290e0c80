#pragma once

#include "value.h"

namespace gantry::compose {

/// `ports`: short and long form; ranges become one Port each.
void read_ports(const Value& value, const std::string& model_path, std::vector<Port>& out);
/// `expose`: container ports only.
void read_expose(const Value& value, const std::string& model_path, std::vector<Port>& out);
/// What makes two entries of `ports` the same one when files are merged.
std::string port_identity(const Node& node);

}  // namespace gantry::compose
