#include "in_root.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#ifndef MQUEUE_MAGIC
#define MQUEUE_MAGIC 0x19800202
#endif

namespace gantry::image {

int open_in_root(int root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  int raw;
  do raw = static_cast<int>(::syscall(SYS_openat2, root, path.empty() ? "." : path.c_str(), &how, sizeof how));
  while (raw < 0 && (errno == EINTR || errno == EAGAIN));
  return raw;
}

std::string through(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

bool is_kernels_own(int fd) {
  constexpr std::array<unsigned long, 11> kKinds{
      PROC_SUPER_MAGIC, SYSFS_MAGIC,   CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC, MQUEUE_MAGIC,
      DEBUGFS_MAGIC,    TRACEFS_MAGIC, SECURITYFS_MAGIC,   BPF_FS_MAGIC,        NSFS_MAGIC};
  struct statfs info {};
  if (::fstatfs(fd, &info) < 0) return false;
  return std::ranges::find(kKinds, static_cast<unsigned long>(info.f_type)) != kKinds.end();
}

// Only names are taken apart here, ".." is left to the kernel: what is before it may be a link.
Place place_of(const std::string& path) {
  std::vector<std::string> parts;
  Place out;
  for (std::size_t at = 0; at < path.size();) {
    auto end = std::min(path.find('/', at), path.size());
    auto part = path.substr(at, end - at);
    out.content = part == ".";
    out.follow = end < path.size() || out.content;
    if (!part.empty() && part != ".") parts.push_back(part);
    at = end + 1;
  }
  if (!parts.empty() && parts.back() == "..") {  // a directory whose name is not known
    parts.emplace_back();
    out.content = true;
  }
  if (!parts.empty()) {
    out.name = parts.back();
    parts.pop_back();
  }
  for (const auto& part : parts) out.directory += "/" + part;
  if (out.directory.empty()) out.directory = "/";
  return out;
}

}  // namespace gantry::image
