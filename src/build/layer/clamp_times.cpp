#include "layer/clamp_times.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gantry/base/error.h"
#include "layer/tree_view.h"

namespace gantry::build {
namespace {

void clamp(int parent, const char* name, const struct ::stat& status, std::int64_t seconds) {
  if (status.st_mtim.tv_sec < seconds || (status.st_mtim.tv_sec == seconds && status.st_mtim.tv_nsec == 0)) return;
  timespec times[2] = {{seconds, 0}, {seconds, 0}};
  if (::utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0) throw_errno(std::string("set the time of ") + name);
}

// Children first: no time of a directory is touched after its own turn.
void clamp_below(int directory, std::int64_t seconds) {
  for (const auto& name : names_in(directory)) {
    struct ::stat status {};
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) throw_errno("inspect " + name);
    if (S_ISDIR(status.st_mode)) {
      Fd inner(::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!inner) throw_errno("open " + name);
      clamp_below(inner.get(), seconds);
    }
    clamp(directory, name.c_str(), status, seconds);
  }
}

}  // namespace

void clamp_times(const std::filesystem::path& root, std::int64_t seconds) {
  Fd fd = open_file(root.string(), O_RDONLY | O_DIRECTORY);
  clamp_below(fd.get(), seconds);
  struct ::stat status {};
  if (::fstat(fd.get(), &status) < 0) throw_errno("inspect " + root.string());
  clamp(fd.get(), ".", status, seconds);
}

}  // namespace gantry::build
