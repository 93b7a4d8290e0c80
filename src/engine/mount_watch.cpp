#include "mount_watch.h"

#include <fcntl.h>
#include <poll.h>

#include "gantry/base/error.h"

namespace gantry::engine {

MountWatch::MountWatch() : table_(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)) {
  if (!table_) throw_errno("open /proc/self/mountinfo");
}

// proc(5): a change of the mounts is an exceptional condition of the open file, until it was asked for.
unsigned MountWatch::generation() {
  pollfd changed{table_.get(), POLLPRI, 0};
  if (::poll(&changed, 1, 0) > 0 && (changed.revents & (POLLPRI | POLLERR)) != 0) ++generation_;
  return generation_;
}

}  // namespace gantry::engine
