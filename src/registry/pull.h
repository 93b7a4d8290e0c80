#pragma once

#include "gantry/registry/registry.h"
#include "stop_flag.h"

namespace gantry::registry {

/// The whole of a pull, blocking, until it is done or `stop` is set.
PullResult pull_image(image::ImageStore& images, const Options& options, const PullRequest& request,
                      const ProgressSink& progress, StopFlag& stop);

}  // namespace gantry::registry
