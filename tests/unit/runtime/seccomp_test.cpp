#include "seccomp_profile.h"

#include <gmock/gmock.h>

#include <cerrno>

#include "gantry/runtime/runtime.h"
#include "seccomp_table.h"

namespace gantry::runtime {
namespace {

using testing::Contains;
using testing::Not;

std::vector<std::string> allowed_by(const std::vector<std::string>& capabilities) {
  return default_seccomp(capabilities).syscalls.at(0).names;
}

TEST(Seccomp, DefaultRefusesWhatEndangersTheHost) {
  auto allowed = allowed_by(default_capabilities());
  for (const char* name : {"mount",
                           "umount2",
                           "unshare",
                           "setns",
                           "keyctl",
                           "add_key",
                           "request_key",
                           "bpf",
                           "kexec_load",
                           "init_module",
                           "finit_module",
                           "reboot",
                           "swapon",
                           "ptrace_not",
                           "userfaultfd",
                           "io_uring_setup",
                           "open_by_handle_at",
                           "perf_event_open",
                           "pivot_root",
                           "clock_settime",
                           "clone",
                           "clone3",
                           "personality",
                           "socket",
                           "move_mount",
                           "fsopen",
                           "vm86"})
    EXPECT_THAT(allowed, Not(Contains(name)));
  for (const char* name :
       {"read", "openat", "execve", "chroot", "futex", "epoll_pwait2", "statx", "rseq", "close_range"})
    EXPECT_THAT(allowed, Contains(name));
}

TEST(Seccomp, CapabilitiesOpenTheirCalls) {
  for (const auto& [capability, calls] : calls_by_capability()) {
    auto allowed = allowed_by({capability});
    for (const auto& name : calls) EXPECT_THAT(allowed, Contains(name)) << capability;
  }
}

TEST(Seccomp, TablesAreSane) {
  auto names = always_allowed_calls();
  EXPECT_GT(names.size(), 300u);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST(Seccomp, NewNamespacesNeedSysAdmin) {
  auto profile = default_seccomp({});
  const auto& clone3 = profile.syscalls.back();
  EXPECT_EQ(clone3.names, std::vector<std::string>{"clone3"});
  EXPECT_EQ(clone3.errnoRet, static_cast<unsigned>(ENOSYS));
  const auto& clone = profile.syscalls.at(profile.syscalls.size() - 2);
  EXPECT_EQ(clone.args.at(0).value, 0x7e020000u);
  EXPECT_EQ(clone.args.at(0).op, "SCMP_CMP_MASKED_EQ");
  EXPECT_THAT(allowed_by({"CAP_SYS_ADMIN"}), Contains("clone3"));
}

TEST(Seccomp, SocketsWithoutKernelCryptoAndVsock) {
  std::vector<std::uint64_t> families;
  for (const auto& rule : default_seccomp({}).syscalls)
    if (rule.names == std::vector<std::string>{"socket"}) families.push_back(rule.args.at(0).value);
  EXPECT_THAT(families, Contains(2));
  EXPECT_THAT(families, Not(Contains(38)));
  EXPECT_THAT(families, Not(Contains(40)));
}

}  // namespace
}  // namespace gantry::runtime
