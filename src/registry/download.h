#pragma once

#include <filesystem>
#include <string>

#include "gantry/registry/registry.h"
#include "stop_flag.h"

namespace gantry::registry {

/// The content behind a URL, into a new file. Blocking.
void download(const Options& options, const std::string& url, const std::filesystem::path& into, StopFlag& stop);

}  // namespace gantry::registry
