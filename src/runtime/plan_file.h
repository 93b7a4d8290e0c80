#pragma once

#include "gantry/runtime/runtime.h"
#include "words.h"

/// The file `plan` that a shim reads (src/shim/plan.cpp has the keywords).
namespace gantry::runtime {

/// The shim's own part; the native launcher's is added behind it.
Words container_plan(const Plan& plan, const Config& config, const std::vector<std::string>& cgroups,
                     const std::vector<Plan::Limit>& limits);
/// `container`: the init of a container that the native launcher made, or none. `has_base`: the container has
/// words that this plan is read over.
Words exec_plan(const ContainerId& id, const ExecPlan& plan, const Config& config,
                const std::optional<IdRange>& user_namespace, std::optional<pid_t> container, bool has_base);

}  // namespace gantry::runtime
