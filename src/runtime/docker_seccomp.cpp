#include "docker_seccomp.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>

#include "gantry/base/json.h"
#include "gantry/runtime/runtime.h"
#include "seccomp_filter.h"
#include "seccomp_table.h"

namespace gantry::runtime {
namespace {

namespace spec = oci::runtime;
using Strings = std::vector<std::string>;

struct Condition {
  Strings caps;
  Strings arches;
  std::string minKernel;
};
BOOST_DESCRIBE_STRUCT(Condition, (), (caps, arches, minKernel))

struct Rule {
  Strings names;
  std::string name;  ///< the older way
  std::string action;
  std::optional<std::uint32_t> errnoRet;
  std::vector<spec::SeccompArg> args;
  std::optional<Condition> includes;
  std::optional<Condition> excludes;
};
BOOST_DESCRIBE_STRUCT(Rule, (), (names, name, action, errnoRet, args, includes, excludes))

struct Architecture {
  std::string architecture;
  Strings subArchitectures;
};
BOOST_DESCRIBE_STRUCT(Architecture, (), (architecture, subArchitectures))

struct Profile {
  std::string defaultAction;
  std::optional<std::uint32_t> defaultErrnoRet;
  Strings architectures;
  std::vector<Architecture> archMap;
  std::vector<Rule> syscalls;
};
BOOST_DESCRIBE_STRUCT(Profile, (), (defaultAction, defaultErrnoRet, architectures, archMap, syscalls))

// As the profiles call this machine.
#if defined(__x86_64__)
constexpr char kArchitecture[] = "amd64";
#elif defined(__aarch64__)
constexpr char kArchitecture[] = "arm64";
#else
#error "name this machine's architecture as seccomp profiles do"
#endif

bool has(const Strings& list, std::string_view wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

bool kernel_is_at_least(const std::string& wanted) {
  int have_major = 0, have_minor = 0, major = 0, minor = 0;
  utsname kernel{};
  ::uname(&kernel);
  if (std::sscanf(wanted.c_str(), "%d.%d", &major, &minor) != 2)
    throw Error(ErrorKind::invalid, "seccomp profile: minKernel '" + wanted + "' is no kernel version",
                "write it as 4.8");
  std::sscanf(kernel.release, "%d.%d", &have_major, &have_minor);
  return have_major > major || (have_major == major && have_minor >= minor);
}

bool applies(const Rule& rule, const Strings& capabilities) {
  auto granted = [&](const std::string& name) { return has(capabilities, name); };
  if (const auto& wanted = rule.includes) {
    if (!wanted->arches.empty() && !has(wanted->arches, kArchitecture)) return false;
    if (!std::all_of(wanted->caps.begin(), wanted->caps.end(), granted)) return false;
    if (!wanted->minKernel.empty() && !kernel_is_at_least(wanted->minKernel)) return false;
  }
  if (const auto& unwanted = rule.excludes) {
    if (has(unwanted->arches, kArchitecture)) return false;
    if (std::any_of(unwanted->caps.begin(), unwanted->caps.end(), granted)) return false;
    if (!unwanted->minKernel.empty() && kernel_is_at_least(unwanted->minKernel)) return false;
  }
  return true;
}

Strings architectures_of(const Profile& profile) {
  if (!profile.architectures.empty() && !profile.archMap.empty())
    throw Error(ErrorKind::invalid, "seccomp profile: both architectures and archMap", "give one of them");
  if (profile.archMap.empty()) return profile.architectures;
  auto own = seccomp_architectures().front();
  for (const auto& entry : profile.archMap)
    if (entry.architecture == own) {
      Strings out = {entry.architecture};
      out.insert(out.end(), entry.subArchitectures.begin(), entry.subArchitectures.end());
      return out;
    }
  return {};
}

}  // namespace

spec::Seccomp docker_seccomp(const std::string& text, const Strings& capabilities) {
  auto profile = json::from_text<Profile>(text, "seccomp profile");
  if (profile.defaultAction.empty())
    throw Error(ErrorKind::invalid, "seccomp profile: no defaultAction",
                "give the text of a profile in Docker's format, not a file's name");
  spec::Seccomp out{.defaultAction = profile.defaultAction, .defaultErrnoRet = profile.defaultErrnoRet};
  out.architectures = architectures_of(profile);
  for (auto& rule : profile.syscalls) {
    if (!rule.name.empty()) rule.names.push_back(rule.name);
    if (rule.names.empty()) throw Error(ErrorKind::invalid, "seccomp profile: a rule without names", "name its calls");
    if (!applies(rule, capabilities)) continue;
    out.syscalls.push_back({rule.names, rule.action, rule.errnoRet, rule.args});
  }
  return out;
}

void require_seccomp_profile(const std::string& text) { compile_filter(docker_seccomp(text, all_capabilities())); }

}  // namespace gantry::runtime
