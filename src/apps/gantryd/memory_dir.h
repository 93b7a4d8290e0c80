#pragma once

#include <filesystem>
#include <string>

namespace gantry::daemon {

/// A directory in memory (tmpfs) for what must not be written to a disk: in the run directory when that is in memory,
/// else in /dev/shm; empty when neither is. Not made yet.
std::filesystem::path memory_dir(const std::filesystem::path& run_dir, const std::string& instance);

}  // namespace gantry::daemon
