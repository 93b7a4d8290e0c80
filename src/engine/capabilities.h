#pragma once

#include <string>
#include <vector>

#include "gantry/engine/types.h"

namespace gantry::engine {

/// What capabilities exist and which ones a container has when nothing else is said; "CAP_..." names.
struct CapabilityBase {
  std::vector<std::string> defaults;
  std::vector<std::string> all;
};

/// The final set: all when privileged, else defaults + cap_add - cap_drop, where "ALL" means all of them and an added
/// one outweighs "ALL" in cap_drop. Error invalid for a name that does not exist. Pure.
std::vector<std::string> final_capabilities(const Security& security, const CapabilityBase& base);

}  // namespace gantry::engine
