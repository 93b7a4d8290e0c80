#pragma once

#include "../services.h"

namespace gantry::api::docker {

/// What is behind an http or https address, opened (`fromSrc` of POST /images/create); nothing of it stays in the file
/// system.
task<std::shared_ptr<Fd>> fetch_file(Services& services, std::string url);

}  // namespace gantry::api::docker
