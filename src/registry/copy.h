#pragma once

#include "gantry/registry/registry.h"
#include "stop_flag.h"

namespace gantry::registry {

/// Registry::copy, blocking.
CopyResult copy_image(const Options& options, const CopyRequest& request, const ProgressSink& progress, StopFlag& stop);

}  // namespace gantry::registry
