#pragma once

#include "describe.h"
#include "routes.h"

namespace gantry::api::docker {

/// What descriptions of containers refer to: networks, and where volumes are.
task<Surroundings> look_around(Services& services);

}  // namespace gantry::api::docker
