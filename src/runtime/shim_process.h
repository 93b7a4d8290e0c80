#pragma once

#include <filesystem>

#include "gantry/base/fd.h"

/// Shims as processes: started by us, or found again by what `<directory>/shim.pid` says.
namespace gantry::runtime {

/// Starts `shim` in `directory`, where `plan` lies; returns its pidfd. The listening socket is handed over.
Fd start_shim(const std::filesystem::path& shim, const std::filesystem::path& directory, const Fd& listener);
/// SIGKILL to the shim of `directory`, if it still is that process, and waits for its end. Blocks shortly.
void kill_shim(const std::filesystem::path& directory);

}  // namespace gantry::runtime
