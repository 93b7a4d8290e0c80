#include "native/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "native/birth.h"
#include "native/device_filter.h"
#include "plan.h"
#include "sys.h"

namespace gantry::shim::native {
namespace {

bool is_version2() {
  struct statfs info {};
  return plan.cgroup_count == 1 && ::statfs(plan.cgroups[0], &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC;
}

void write_setting(const Setting& setting) {
  int fd = ::open(setting.name, O_WRONLY | O_CLOEXEC);
  Text<256> value;
  value.add(setting.value);
  if (fd < 0 || !write_all(fd, value.c_str(), value.length())) {
    int error = errno;
    Path what;
    what.add("set ").add(setting.name).add(" to");
    fail({.kind = "invalid",
          .what = what.c_str(),
          .object = setting.value,
          .error = error,
          .fix = "choose a limit that the kernel and the groups above allow"});
  }
  ::close(fd);
}

}  // namespace

void make_cgroups() {
  for (std::size_t i = 0; i < plan.cgroup_count; ++i)
    if (::mkdir(plan.cgroups[i], 0755) < 0 && errno != EEXIST) fail_errno("make control group", plan.cgroups[i]);
}

void set_cgroups() {
  static std::size_t done = 0;
  for (; done < plan.cgroup_settings.count; ++done) write_setting(plan.cgroup_settings.items[done]);
}

int open_cgroups() {
  birth.join_count = 0;
  if (is_version2()) {
    int directory = ::open(plan.cgroups[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) fail_errno("open control group", plan.cgroups[0]);
    if (!plan.exec) attach_device_filter(directory);
    return directory;
  }
  for (std::size_t i = 0; i < plan.cgroup_count; ++i) {
    Path path;
    path.add(plan.cgroups[i]).add("/tasks");
    int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) fail_errno("open", path.c_str());
    birth.joins[birth.join_count++] = fd;
  }
  return -1;
}

void close_cgroups(int directory) {
  if (directory >= 0) ::close(directory);
  for (std::size_t i = 0; i < birth.join_count; ++i) ::close(birth.joins[i]);
}

bool is_in_cgroup(pid_t pid) {
  static char text[8192];
  Text<64> path;
  path.add("/proc/").add(static_cast<std::uint64_t>(pid)).add("/cgroup");
  if (plan.cgroup_count == 0 || read_small(AT_FDCWD, path.c_str(), text, sizeof text) <= 0) return false;
  const char* name = strrchr(plan.cgroups[0], '/');
  return name != nullptr && strstr(text, name) != nullptr;
}

// A process of one thread that moves itself through `tasks` needs no lock that waits for all processors.
void join_cgroups() {
  for (std::size_t i = 0; i < birth.join_count; ++i)
    if (!write_all(birth.joins[i], "0", 1)) fail_errno("join control group", plan.cgroups[i]);
}

}  // namespace gantry::shim::native
