#include "gantry/registry/platform.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <vector>

#include "gantry/base/error.h"
#include "gantry/base/text.h"

// Names and their normal forms as in containerd's "platforms" documentation: x86_64 is amd64, aarch64 is arm64/v8
// (whose variant is left out), armhf is arm/v7, armel is arm/v6.
namespace gantry::registry {
namespace {

bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
  });
}

Platform normalised(Platform p) {
  p.os = lower(p.os);
  p.architecture = lower(p.architecture);
  p.variant = lower(p.variant);
  auto& a = p.architecture;
  if (a == "x86_64" || a == "x86-64") a = "amd64";
  if (a == "i386" || a == "i486" || a == "i586" || a == "i686") a = "386";
  if (a == "aarch64") a = "arm64";
  if (a == "armhf") p = {p.os, "arm", "v7"};
  if (a == "armel") p = {p.os, "arm", "v6"};
  if (a == "arm64" && (p.variant == "8" || p.variant == "v8")) p.variant.clear();
  if (a == "amd64" && p.variant == "v1") p.variant.clear();
  if (a == "arm" && p.variant.empty()) p.variant = "v7";
  if (a == "arm" && p.variant.size() == 1) p.variant = "v" + p.variant;
  return p;
}

int arm_version(const std::string& variant) { return variant.size() == 2 ? variant[1] - '0' : 0; }

}  // namespace

Platform Platform::parse(std::string_view text) {
  auto parts = split(lower(text), '/');
  if (parts.size() == 1) parts.insert(parts.begin(), "linux");
  if (parts.size() > 3 || !std::all_of(parts.begin(), parts.end(), is_word))
    throw Error(ErrorKind::invalid, "platform \"" + std::string(text) + "\" is not os/architecture[/variant]",
                "write it like linux/amd64 or linux/arm64");
  return normalised({parts[0], parts[1], parts.size() > 2 ? parts[2] : ""});
}

Platform Platform::host() {
  utsname name{};
  ::uname(&name);
  std::string machine = name.machine;
  if (machine.starts_with("armv")) return normalised({"linux", "arm", "v" + machine.substr(4, 1)});
  return normalised({"linux", machine, ""});
}

std::string Platform::str() const { return os + "/" + architecture + (variant.empty() ? "" : "/" + variant); }

int fit(const Platform& wanted_in, const Platform& offered_in) {
  auto wanted = normalised(wanted_in), offered = normalised(offered_in);
  if (wanted.os != offered.os || wanted.architecture != offered.architecture) return 0;
  if (wanted.variant == offered.variant) return 100;
  // A processor runs what was made for an older one of its family.
  if (wanted.architecture == "arm") {
    int have = arm_version(wanted.variant), need = arm_version(offered.variant);
    return need > 0 && need <= have ? 50 + need : 0;
  }
  if (offered.variant.empty()) return 60;
  return wanted.variant.empty() ? 10 : 0;
}

}  // namespace gantry::registry
