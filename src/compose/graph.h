#pragma once

#include <map>
#include <string>
#include <vector>

#include "gantry/compose/model.h"

namespace gantry::compose {

/// A cycle of dependencies, its first service repeated at the end; empty when there is none.
std::vector<std::string> find_cycle(const std::map<std::string, Service>& services);

}  // namespace gantry::compose
