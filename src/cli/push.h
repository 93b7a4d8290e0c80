#pragma once

#include <boost/json.hpp>

#include <string>

#include "context.h"

namespace gantry::cli {

/// Pushes with the sign-in of the caller. Returns the daemon's answer: digest, recompressed.
task<boost::json::value> push_image(Context& context, std::string reference, Progress& progress);

}  // namespace gantry::cli
