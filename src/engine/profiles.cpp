#include "profiles.h"

#include <filesystem>

#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/runtime/runtime.h"

namespace gantry::engine {
namespace {

bool has_apparmor() {
  return read_file_if_exists("/sys/module/apparmor/parameters/enabled").value_or("").starts_with('Y');
}

bool has_selinux() { return std::filesystem::exists("/sys/fs/selinux/enforce"); }

}  // namespace

void require_security_profiles(const Security& security) {
  if (!security.seccomp_profile.empty()) runtime::require_seccomp_profile(security.seccomp_profile);
  if (!security.apparmor.empty() && security.apparmor != kUnconfined && !has_apparmor())
    throw Error(ErrorKind::unsupported, "AppArmor profile " + security.apparmor + ": this kernel has no AppArmor",
                "leave it out, or switch AppArmor on with apparmor=1 security=apparmor on the kernel's command line");
  for (const auto& label : security.selinux)
    if (label != "disable" && has_selinux())
      throw Error(ErrorKind::unsupported, "SELinux label " + label + " is not supported yet", "leave it out");
}

}  // namespace gantry::engine
