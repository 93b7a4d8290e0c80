#include "zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gantry/runtime/zygote_order.h"
#include "holder.h"
#include "sys.h"

namespace gantry::shim {
namespace {

using runtime::shim::kMaxKind;

constexpr int kOrders = 3;

char kind[kMaxKind + 1];

int receive_order() {
  auto order = receive(kOrders, kind, kMaxKind);
  if (order.count == 0) ::_exit(0);
  kind[order.size] = 0;
  return order.descriptors[0];
}

}  // namespace

const char* serve_orders() {
  ::close_range(kOrders + 1, ~0u, 0);
  ::fcntl(kOrders, F_SETFD, FD_CLOEXEC);
  ::prctl(PR_SET_DUMPABLE, 0);
  ::prctl(PR_SET_NAME, "gantry-zygote");
  for (;;) {
    int socket = receive_order();
    pid_t child = holder::clone_process(CLONE_PARENT, 0);
    if (child == 0) {
      if (::dup3(socket, kOrders, O_CLOEXEC) < 0 || ::setsid() < 0) ::_exit(1);
      ::close(socket);
      return kind;
    }
    pid_t answer = child < 0 ? -errno : child;
    ::close(socket);
    if (::send(kOrders, &answer, sizeof answer, MSG_NOSIGNAL) < 0) ::_exit(0);
  }
}

}  // namespace gantry::shim
