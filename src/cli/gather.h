#pragma once

#include <functional>
#include <string>
#include <vector>

#include "context.h"

namespace gantry::cli {

/// Runs the tasks side by side and waits for all; the failures come back in the order of the tasks (null: success).
/// When the caller is cancelled the tasks are left to the end of the program, which closes their connections.
task<std::vector<std::exception_ptr>> gather(std::vector<task<>> tasks);

/// Does `work` for every name at once; prints each name that succeeded and each error. Returns the exit status.
task<int> for_each_name(Context& context, std::vector<std::string> names,
                        std::function<task<>(Context&, std::string)> work, bool print_names = true);

}  // namespace gantry::cli
