#include "gantry/base/json.h"
#include "sharing.h"

namespace gantry::engine {
namespace {

void add_namespace(std::vector<std::string>* out, const char* name, const std::optional<Namespace>& wanted) {
  if (mode_of(wanted) == NamespaceMode::host) out->push_back(std::string(name) + "=host");
  if (mode_of(wanted) == NamespaceMode::container)
    out->push_back(std::string(name) + "=container:" + wanted->container.substr(0, 12));
}

}  // namespace

std::vector<std::string> opt_outs(const ContainerSpec& spec) {
  const auto& security = spec.security;
  std::vector<std::string> out;
  if (security.privileged) out.push_back("privileged");
  const auto& shared = spec.namespaces;
  add_namespace(&out, "network", shared.network);
  add_namespace(&out, "pid", shared.pid);
  add_namespace(&out, "ipc", shared.ipc);
  add_namespace(&out, "uts", shared.uts);
  add_namespace(&out, "cgroup", shared.cgroup);
  if (needs_host_users(spec) && !security.privileged) out.push_back("userns=host");
  if (!security.seccomp_profile.empty()) {
    out.push_back("seccomp=profile");
  } else if (security.seccomp == Seccomp::unconfined) {
    out.push_back("seccomp=unconfined");
  }
  if (!security.no_new_privileges) out.push_back("no_new_privileges=false");
  if (security.unmask_paths) out.push_back("unmask_paths");
  if (security.masked_paths) out.push_back("masked_paths");
  if (security.readonly_paths) out.push_back("readonly_paths");
  for (const auto& device : spec.devices) out.push_back("device=" + device.source);
  for (const auto& rule : spec.device_rules) out.push_back("device_rule=" + rule);
  for (const auto& device : spec.cdi_devices) out.push_back("device=" + device);
  for (const auto& name : security.cap_add)
    out.push_back("cap_add=" + (name.starts_with("CAP_") ? name.substr(4) : name));
  return out;
}

}  // namespace gantry::engine
