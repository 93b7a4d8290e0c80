#pragma once

#include "gantry/base/async.h"
#include "options.h"

namespace gantry::daemon {

/// Runs the daemon until SIGTERM or SIGINT. Throws Error when it cannot start.
void run(const Options& options);

}  // namespace gantry::daemon
