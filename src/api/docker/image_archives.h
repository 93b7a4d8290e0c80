#pragma once

#include "routes.h"

namespace gantry::api::docker {

/// POST /images/create with `fromSrc`: the body is a root file system.
task<> import_image(Services& services, Call call);

}  // namespace gantry::api::docker
