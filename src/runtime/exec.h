#pragma once

#include "gantry/runtime/runtime.h"
#include "shim_link.h"

namespace gantry::runtime {

/// A running exec over the shim in `directory`.
std::unique_ptr<ExecProcess> make_exec_process(std::shared_ptr<ShimLink> link, std::unique_ptr<StdioSession> session,
                                               std::filesystem::path directory);

}  // namespace gantry::runtime
