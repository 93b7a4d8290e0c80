#include "gantry/engine/types.h"

namespace gantry::engine {

std::vector<std::string> opt_outs(const Security& security) {
  std::vector<std::string> out;
  if (security.privileged) out.push_back("privileged");
  if (security.user_namespace == UserNamespace::host) out.push_back("userns=host");
  if (security.seccomp == Seccomp::unconfined) out.push_back("seccomp=unconfined");
  if (!security.no_new_privileges) out.push_back("no_new_privileges=false");
  if (security.unmask_paths) out.push_back("unmask_paths");
  for (const auto& name : security.cap_add)
    out.push_back("cap_add=" + (name.starts_with("CAP_") ? name.substr(4) : name));
  return out;
}

}  // namespace gantry::engine
