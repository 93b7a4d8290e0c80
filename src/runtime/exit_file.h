#pragma once

#include <filesystem>
#include <optional>

#include "gantry/runtime/runtime.h"

namespace gantry::runtime {

/// `<state_dir>/exit.json`; nullopt when there is none or it is not one.
std::optional<ExitRecord> read_exit_file(const std::filesystem::path& state_dir);
/// In the place of a shim that was killed. A failure is logged: the caller has the record, too.
void keep_exit_file(const std::filesystem::path& state_dir, const ExitRecord& record);

}  // namespace gantry::runtime
