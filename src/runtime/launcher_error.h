#pragma once

#include <filesystem>
#include <string>

#include "gantry/base/error.h"

namespace gantry::runtime {

/// From a shim's `failed` message. Kind "launcher" means that the OCI runtime refused: its log in `directory` says why.
Error shim_error(const std::string& payload, const std::filesystem::path& directory);
/// One message of the OCI runtime in Gantry's words.
Error launcher_error(const std::string& message);

}  // namespace gantry::runtime
