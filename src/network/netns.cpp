#include "netns.h"

#include <fcntl.h>
#include <sched.h>

#include <cstdlib>

#include "gantry/base/error.h"
#include "gantry/base/log.h"

namespace gantry::network {

NetnsGuard::NetnsGuard(int netns) : home_(open_file("/proc/thread-self/ns/net", O_RDONLY)) {
  if (setns(netns, CLONE_NEWNET) != 0) throw_errno("enter the container's network namespace");
}

NetnsGuard::~NetnsGuard() {
  if (setns(home_.get(), CLONE_NEWNET) == 0) return;
  log::error("a thread cannot return to the host's network namespace: stopping");
  std::abort();
}

}  // namespace gantry::network
