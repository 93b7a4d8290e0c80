#pragma once

#include "gantry/runtime/runtime.h"

/// The file `plan` that a shim reads (src/shim/plan.cpp has the keywords).
namespace gantry::runtime {

std::string container_plan(const Plan& plan, const Config& config, const std::vector<std::string>& cgroups,
                           const std::vector<Plan::Limit>& limits);
std::string exec_plan(const ContainerId& id, const ExecPlan& plan, const Config& config,
                      const std::optional<IdRange>& user_namespace);

}  // namespace gantry::runtime
