#pragma once

#include "gantry/engine/types.h"

namespace gantry::engine {

/// Error invalid for a system call profile that is none, unsupported for one of a security module this kernel lacks.
void require_security_profiles(const Security& security);

}  // namespace gantry::engine
