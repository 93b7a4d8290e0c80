#pragma once

#include <string>
#include <vector>

#include "gantry/oci/runtime_spec.h"

namespace gantry::runtime {

/// The default system call profile: an allow-list, everything else fails with EPERM. Equivalent to the documented
/// default of Docker and containerd (docs.docker.com/engine/security/seccomp), with the same calls opened by the same
/// capabilities.
oci::runtime::Seccomp default_seccomp(const std::vector<std::string>& capabilities);

}  // namespace gantry::runtime
