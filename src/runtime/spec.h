#pragma once

#include "gantry/oci/runtime_spec.h"
#include "gantry/runtime/runtime.h"

/// From a plan to config.json.
namespace gantry::runtime {

struct SpecContext {
  std::string cgroups_path;
  std::vector<Plan::Limit> limits;  ///< see effective_limits
  bool seccomp_by_name = true;      ///< crun compiles the profile itself; the native launcher gets a program
};

/// The first so many mounts of every specification are the system's own.
inline constexpr std::size_t kSystemMounts = 7;
bool uses_default_seccomp(const Plan& plan);
oci::runtime::Spec make_spec(const Plan& plan, const SpecContext& context);
oci::runtime::Process make_exec_process(const ExecPlan& plan, bool own_user_namespace);

/// The plan's limits, lowered where this process may not raise them (each with a warning in the log).
std::vector<Plan::Limit> effective_limits(const Plan& plan, bool may_raise);
/// RLIMIT_NOFILE and so on as a number; an Error (invalid) for an unknown name.
int rlimit_number(const std::string& name);
bool may_raise_limits();

}  // namespace gantry::runtime
