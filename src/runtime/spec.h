#pragma once

#include "gantry/oci/runtime_spec.h"
#include "gantry/runtime/runtime.h"

/// From a plan to config.json.
namespace gantry::runtime {

struct SpecContext {
  std::string cgroups_path;
  std::vector<Plan::Limit> limits;   ///< see effective_limits
  bool seccomp_by_name = true;       ///< crun compiles the profile itself; the native launcher gets a program
  std::optional<int> oom_score_adj;  ///< see effective_oom_score
};

/// What of the plan is filtered: by a profile of its own, by the default one, or not at all.
std::optional<oci::runtime::Seccomp> seccomp_of(const Plan& plan);
bool uses_default_seccomp(const Plan& plan);
oci::runtime::Spec make_spec(const Plan& plan, const SpecContext& context);
oci::runtime::Process make_exec_process(const ExecPlan& plan, bool own_user_namespace);

/// The plan's limits, lowered where this process may not raise them (each with a warning in the log).
std::vector<Plan::Limit> effective_limits(const Plan& plan, bool may_raise);
/// The plan's, raised to what this process may give (with a warning in the log).
std::optional<int> effective_oom_score(const Plan& plan, bool may_lower);
/// RLIMIT_NOFILE and so on as a number; an Error (invalid) for an unknown name.
int rlimit_number(const std::string& name);
bool may_raise_limits();

}  // namespace gantry::runtime
