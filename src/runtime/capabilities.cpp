#include "capabilities.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "gantry/base/files.h"
#include "gantry/base/log.h"
#include "gantry/runtime/runtime.h"

namespace gantry::runtime {
namespace {

// In the kernel's numbering (linux/capability.h).
constexpr const char* kNames[] = {"CAP_CHOWN",
                                  "CAP_DAC_OVERRIDE",
                                  "CAP_DAC_READ_SEARCH",
                                  "CAP_FOWNER",
                                  "CAP_FSETID",
                                  "CAP_KILL",
                                  "CAP_SETGID",
                                  "CAP_SETUID",
                                  "CAP_SETPCAP",
                                  "CAP_LINUX_IMMUTABLE",
                                  "CAP_NET_BIND_SERVICE",
                                  "CAP_NET_BROADCAST",
                                  "CAP_NET_ADMIN",
                                  "CAP_NET_RAW",
                                  "CAP_IPC_LOCK",
                                  "CAP_IPC_OWNER",
                                  "CAP_SYS_MODULE",
                                  "CAP_SYS_RAWIO",
                                  "CAP_SYS_CHROOT",
                                  "CAP_SYS_PTRACE",
                                  "CAP_SYS_PACCT",
                                  "CAP_SYS_ADMIN",
                                  "CAP_SYS_BOOT",
                                  "CAP_SYS_NICE",
                                  "CAP_SYS_RESOURCE",
                                  "CAP_SYS_TIME",
                                  "CAP_SYS_TTY_CONFIG",
                                  "CAP_MKNOD",
                                  "CAP_LEASE",
                                  "CAP_AUDIT_WRITE",
                                  "CAP_AUDIT_CONTROL",
                                  "CAP_SETFCAP",
                                  "CAP_MAC_OVERRIDE",
                                  "CAP_MAC_ADMIN",
                                  "CAP_SYSLOG",
                                  "CAP_WAKE_ALARM",
                                  "CAP_BLOCK_SUSPEND",
                                  "CAP_AUDIT_READ",
                                  "CAP_PERFMON",
                                  "CAP_BPF",
                                  "CAP_CHECKPOINT_RESTORE"};

}  // namespace

const std::vector<std::string>& default_capabilities() {
  static const std::vector<std::string> names = {
      "CAP_AUDIT_WRITE", "CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",    "CAP_FSETID",
      "CAP_KILL",        "CAP_MKNOD",   "CAP_NET_BIND_SERVICE", "CAP_NET_RAW",   "CAP_SETFCAP",
      "CAP_SETGID",      "CAP_SETPCAP", "CAP_SETUID",           "CAP_SYS_CHROOT"};
  return names;
}

std::vector<std::string> all_capabilities() {
  auto last = read_file_if_exists("/proc/sys/kernel/cap_last_cap");
  std::size_t count = last ? std::strtoul(last->c_str(), nullptr, 10) + 1 : std::size(kNames);
  return {kNames, kNames + std::min(count, std::size(kNames))};
}

bool has_own_capability(int number) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (::syscall(SYS_capget, &header, data.data()) < 0) return false;
  return (data[static_cast<std::size_t>(CAP_TO_INDEX(number))].permitted & CAP_TO_MASK(number)) != 0;
}

std::vector<std::string> grantable_capabilities(const std::vector<std::string>& wanted, bool own_user_namespace) {
  std::vector<std::string> out;
  for (const auto& name : wanted) {
    auto found = std::find(std::begin(kNames), std::end(kNames), name);
    if (found == std::end(kNames))
      throw Error(ErrorKind::invalid, "capability " + name + ": no such capability", "see man 7 capabilities");
    if (own_user_namespace || has_own_capability(static_cast<int>(found - kNames))) {
      out.push_back(name);
    } else {
      log::warn("{} is not granted: the daemon itself does not have it", name);
    }
  }
  return out;
}

std::uint64_t capability_mask(const std::vector<std::string>& names) {
  std::uint64_t out = 0;
  for (const auto& name : names) {
    auto found = std::find(std::begin(kNames), std::end(kNames), name);
    if (found != std::end(kNames)) out |= std::uint64_t{1} << (found - kNames);
  }
  return out;
}

}  // namespace gantry::runtime
