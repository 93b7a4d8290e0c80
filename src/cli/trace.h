#pragma once

#include <string>
#include <vector>

#include "gantry/engine/types.h"

namespace gantry::cli {

/// Each step of a start with its moment, how long it took, and a bar of that length.
std::string trace_text(const std::vector<engine::StartStep>& steps);

}  // namespace gantry::cli
