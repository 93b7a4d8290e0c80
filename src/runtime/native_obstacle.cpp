#include <errno.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gantry/runtime/runtime.h"

namespace gantry::runtime {
namespace {

struct Call {
  const char* name;
  long number;
  const char* since;
};

// Called with arguments that are refused: any other answer than "no such call" will do.
constexpr Call kCalls[] = {
    {"fsopen", SYS_fsopen, "5.2"}, {"fsmount", SYS_fsmount, "5.2"}, {"move_mount", SYS_move_mount, "5.2"},
    {"clone3", SYS_clone3, "5.3"}, {"openat2", SYS_openat2, "5.6"}, {"mount_setattr", SYS_mount_setattr, "5.12"},
};

}  // namespace

std::string find_native_obstacle() {
  for (const auto& call : kCalls)
    if (::syscall(call.number, -1, nullptr, -1, nullptr, 0) < 0 && errno == ENOSYS)
      return std::string("this kernel has no ") + call.name + " (Linux " + call.since + ")";
  return {};
}

}  // namespace gantry::runtime
