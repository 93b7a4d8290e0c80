#include "gantry/oci/platform.h"

#include <sys/utsname.h>

#include <array>
#include <string_view>

namespace gantry::oci {

Platform Platform::current() {
  static constexpr std::array<std::array<std::string_view, 3>, 6> kMachines = {{{"x86_64", "amd64", ""},
                                                                                {"aarch64", "arm64", ""},
                                                                                {"armv7l", "arm", "v7"},
                                                                                {"riscv64", "riscv64", ""},
                                                                                {"ppc64le", "ppc64le", ""},
                                                                                {"s390x", "s390x", ""}}};
  utsname system{};
  ::uname(&system);
  for (const auto& [machine, architecture, variant] : kMachines)
    if (machine == system.machine) return {"linux", std::string(architecture), std::string(variant)};
  return {"linux", system.machine, ""};
}

std::string Platform::str() const { return os + "/" + architecture + (variant.empty() ? "" : "/" + variant); }

}  // namespace gantry::oci
