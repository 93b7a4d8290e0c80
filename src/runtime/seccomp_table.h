#pragma once

#include <map>
#include <string>
#include <vector>

namespace gantry::runtime {

/// Names as in the kernel's tables; a name the seccomp library does not know is skipped by the OCI runtime.
const std::vector<std::string>& always_allowed_calls();
const std::map<std::string, std::vector<std::string>>& calls_by_capability();
/// This machine's, with those it can also run.
std::vector<std::string> seccomp_architectures();

}  // namespace gantry::runtime
