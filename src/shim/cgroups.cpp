#include "cgroups.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plan.h"
#include "sys.h"

namespace gantry::shim {
namespace {

std::uint64_t value_after(const char* text, const char* key) {
  const char* found = strstr(text, key);
  return found == nullptr ? 0 : to_number(found + strlen(key));
}

// Version 1 lets no frozen process die.
void thaw_members(const char* directory) {
  Path path;
  path.add(directory).add("/freezer.state");
  int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  write_all(fd, "THAWED", 6);
  ::close(fd);
}

void kill_members(const char* directory) {
  thaw_members(directory);
  Path path;
  path.add(directory).add("/cgroup.kill");
  int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    write_all(fd, "1", 1);
    ::close(fd);
    return;
  }
  static char members[64 * 1024];
  path.clear();
  path.add(directory).add("/cgroup.procs");
  if (read_small(AT_FDCWD, path.c_str(), members, sizeof members) <= 0) return;
  for (const char* at = members; *at != 0;) {
    auto pid = static_cast<pid_t>(to_number(at));
    if (pid > 1) ::kill(pid, SIGKILL);
    const char* next = strchr(at, '\n');
    if (next == nullptr) break;
    at = next + 1;
  }
}

}  // namespace

bool out_of_memory_killed() {
  static char text[4096];
  for (std::size_t i = 0; i < plan.cgroup_count; ++i)
    for (const char* name : {"/memory.events", "/memory.oom_control"}) {
      Path path;
      path.add(plan.cgroups[i]).add(name);
      if (read_small(AT_FDCWD, path.c_str(), text, sizeof text) > 0 && value_after(text, "oom_kill ") > 0) return true;
    }
  return false;
}

// A killed process leaves its cgroup only when it has been torn down: a short wait, not an error. What cannot be
// removed here (children made by a privileged container) is the daemon's to remove.
void remove_cgroups() {
  constexpr long kMostPause = 5'000'000;  // nanoseconds
  constexpr int kRounds = 200;
  for (std::size_t i = 0; i < plan.cgroup_count; ++i)
    for (int round = 0; round < kRounds; ++round) {
      if (::rmdir(plan.cgroups[i]) == 0 || errno == ENOENT) break;
      kill_members(plan.cgroups[i]);
      timespec pause{.tv_sec = 0, .tv_nsec = round < 6 ? 100'000L << round : kMostPause};
      ::nanosleep(&pause, nullptr);
    }
}

}  // namespace gantry::shim
