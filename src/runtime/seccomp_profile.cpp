#include "seccomp_profile.h"

#include <linux/sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "seccomp_table.h"

namespace gantry::runtime {
namespace {

using oci::runtime::Seccomp;
using oci::runtime::SeccompArg;
using oci::runtime::SeccompRule;

constexpr char kAllow[] = "SCMP_ACT_ALLOW";

bool has(const std::vector<std::string>& set, std::string_view wanted) {
  return std::find(set.begin(), set.end(), wanted) != set.end();
}

SeccompRule allow_when(std::string name, SeccompArg argument) {
  return {.names = {std::move(name)}, .action = kAllow, .args = {std::move(argument)}};
}

void add_personality(Seccomp& profile) {
  // PER_LINUX, PER_LINUX32, with and without UNAME26, and "ask only"
  for (std::uint64_t value : {0x0ull, 0x8ull, 0x20000ull, 0x20008ull, 0xffffffffull})
    profile.syscalls.push_back(allow_when("personality", {.index = 0, .value = value, .op = "SCMP_CMP_EQ"}));
}

void add_sockets(Seccomp& profile) {
  for (int family = AF_UNIX; family < AF_MAX; ++family)
    if (family != AF_ALG && family != AF_VSOCK)
      profile.syscalls.push_back(
          allow_when("socket", {.index = 0, .value = static_cast<std::uint64_t>(family), .op = "SCMP_CMP_EQ"}));
}

// Without CAP_SYS_ADMIN: no new namespaces. clone3 hides its flags behind a pointer, so it "does not exist" and the C
// library falls back to clone.
void add_clone(Seccomp& profile) {
  constexpr std::uint64_t kNamespaces =
      CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
  profile.syscalls.push_back(
      allow_when("clone", {.index = 0, .value = kNamespaces, .valueTwo = 0, .op = "SCMP_CMP_MASKED_EQ"}));
  profile.syscalls.push_back({.names = {"clone3"}, .action = "SCMP_ACT_ERRNO", .errnoRet = ENOSYS});
}

}  // namespace

Seccomp default_seccomp(const std::vector<std::string>& capabilities) {
  Seccomp profile{
      .defaultAction = "SCMP_ACT_ERRNO", .defaultErrnoRet = EPERM, .architectures = seccomp_architectures()};
  SeccompRule allowed{.names = always_allowed_calls(), .action = kAllow};
  for (const auto& [capability, calls] : calls_by_capability())
    if (has(capabilities, capability)) allowed.names.insert(allowed.names.end(), calls.begin(), calls.end());
  std::sort(allowed.names.begin(), allowed.names.end());
  allowed.names.erase(std::unique(allowed.names.begin(), allowed.names.end()), allowed.names.end());
  profile.syscalls.push_back(std::move(allowed));
  add_personality(profile);
  add_sockets(profile);
  if (!has(capabilities, "CAP_SYS_ADMIN")) add_clone(profile);
  return profile;
}

}  // namespace gantry::runtime
