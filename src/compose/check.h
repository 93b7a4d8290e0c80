#pragma once

#include <string>
#include <vector>

#include "gantry/compose/model.h"

namespace gantry::compose {

/// A broken rule, and the path in the model that breaks it: "services.web.mounts[0]".
struct Problem {
  std::string path;
  std::string message;
};

/// Every rule that a stack must keep, whatever it was made from.
std::vector<Problem> check(const Stack& stack);

/// [a-z0-9][a-z0-9_-]*, at most 63 characters: the name becomes part of container, network and volume names.
bool is_valid_stack_name(std::string_view name);

}  // namespace gantry::compose
