#pragma once

#include <string>
#include <vector>

#include "gantry/oci/runtime_spec.h"

namespace gantry::runtime {

/// A profile in Docker's format (docs.docker.com/engine/security/seccomp) for a container with these capabilities on
/// this machine: rules are kept whose conditions hold. Error invalid for what is no such profile.
oci::runtime::Seccomp docker_seccomp(const std::string& text, const std::vector<std::string>& capabilities);

}  // namespace gantry::runtime
