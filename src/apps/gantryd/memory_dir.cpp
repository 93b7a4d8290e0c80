#include "memory_dir.h"

#include <linux/magic.h>
#include <sys/vfs.h>

namespace gantry::daemon {
namespace {

bool is_in_memory(const std::filesystem::path& path) {
  struct statfs info {};
  return ::statfs(path.c_str(), &info) == 0 && info.f_type == TMPFS_MAGIC;
}

}  // namespace

std::filesystem::path memory_dir(const std::filesystem::path& run_dir, const std::string& instance) {
  if (is_in_memory(run_dir)) return run_dir / "memory";
  if (is_in_memory("/dev/shm")) return "/dev/shm/gantry-" + instance;
  return {};
}

}  // namespace gantry::daemon
