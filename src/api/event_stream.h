#pragma once

#include "gantry/base/async.h"
#include "gantry/base/time.h"

namespace gantry::api {

/// Ends a stream of events that follows at the moment given.
task<> until_then(Timestamp moment, task<> stream);

}  // namespace gantry::api
