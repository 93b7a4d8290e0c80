#pragma once

#include "gantry/registry/registry.h"
#include "stop_flag.h"

namespace gantry::registry {

/// The whole of a push, blocking, until it is done or `stop` is set.
PushResult push_image(image::ImageStore& images, const Options& options, const PushRequest& request,
                      const ProgressSink& progress, StopFlag& stop);

}  // namespace gantry::registry
