#pragma once

#include <string>
#include <vector>

#include "api.h"
#include "context.h"

namespace gantry::cli {

/// Asks the daemon; without one, runs `gantryd --check` itself. Exit status 1 when a check fails.
task<int> run_doctor(Context& context);

/// The table, and the fix of each finding below it.
std::string doctor_text(const std::vector<api::HostFinding>& findings, const Console& console);

}  // namespace gantry::cli
