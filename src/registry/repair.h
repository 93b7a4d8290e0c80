#pragma once

#include "gantry/registry/registry.h"
#include "stop_flag.h"

namespace gantry::registry {

/// Registry::verify, blocking.
image::CheckReport verify_images(image::ImageStore& images, const Options& options, const VerifyRequest& request,
                                 const image::ProgressSink& progress, StopFlag& stop);

}  // namespace gantry::registry
