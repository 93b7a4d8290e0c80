#pragma once

#include <string>
#include <vector>

namespace gantry::runtime {

/// Whether this process may use it; by the kernel's number (CAP_SYS_RESOURCE, ...).
bool has_own_capability(int number);
/// Those of `wanted` that can be given away: all in a user namespace of the container's own, else what this process has
/// itself (the rest is left out with a warning). An Error (invalid) for a name that is none.
std::vector<std::string> grantable_capabilities(const std::vector<std::string>& wanted, bool own_user_namespace);
/// A bit for each, by the kernel's number.
std::uint64_t capability_mask(const std::vector<std::string>& names);

}  // namespace gantry::runtime
