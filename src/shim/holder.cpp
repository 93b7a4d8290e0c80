#include "holder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plan.h"
#include "sys.h"

namespace gantry::shim::holder {
namespace {

struct Order {
  void (*first)();
  int cgroup;
  pid_t child;
  int error;
  const char* unjoined;  // what could not be joined, and why
  int join_error;
};

Order* order = nullptr;  // shared with the holder
int go[2] = {-1, -1};
pid_t holder_pid = -1;
int user_fd = -1;

bool is_joined(const char* choice) { return choice != nullptr && *choice != 0; }

void join(const char* path) {
  if (!is_joined(path) || order->unjoined != nullptr) return;
  int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || ::setns(fd, 0) < 0) {
    order->join_error = errno;
    order->unjoined = path;
  }
  if (fd >= 0) ::close(fd);
}

// The user namespace first: the others belong to it, and so does what is made from here on. Its number of processes is
// for children, as that of processes always is.
void join_others() {
  const auto& wanted = plan.namespaces;
  for (const char* path : {wanted.user, wanted.network, wanted.ipc, wanted.uts, wanted.pid}) join(path);
  if (is_joined(wanted.user) && wanted.network == nullptr && ::unshare(CLONE_NEWNET) < 0) {
    order->join_error = errno;
    order->unjoined = "the network namespace";
  }
}

std::uint64_t new_namespaces() {
  std::uint64_t flags = CLONE_NEWNS;
  if (plan.namespaces.pid == nullptr) flags |= CLONE_NEWPID;
  if (plan.namespaces.uts == nullptr) flags |= CLONE_NEWUTS;
  return flags;
}

// Descriptors are shared with the shim: those of the order are made after this process.
[[noreturn]] void wait_and_bear(int orders, pid_t shim) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != shim) ::_exit(0);
  join_others();
  char byte;
  if (::read(orders, &byte, 1) != 1) ::_exit(0);
  pid_t child =
      order->unjoined != nullptr ? -1 : clone_process(new_namespaces() | CLONE_PARENT | CLONE_FILES, 0, order->cgroup);
  if (child == 0) order->first();
  order->child = child;
  order->error = child < 0 ? errno : 0;
  ::_exit(0);
}

void write_map(const char* name) {
  Text<64> path;
  path.add("/proc/").add(static_cast<std::uint64_t>(holder_pid)).add("/").add(name);
  Text<64> line;
  line.add("0 ").add(plan.map_host).add(" ").add(plan.map_size);
  int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0 || !write_all(fd, line.c_str(), line.length())) fail_errno("map ids through", path.c_str());
  ::close(fd);
}

}  // namespace

pid_t clone_process(std::uint64_t flags, int signal, int cgroup) {
  clone_args arguments{};
  arguments.flags = flags;
  arguments.exit_signal = static_cast<std::uint64_t>(signal);
  if (cgroup >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(cgroup);
  }
  return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

void make(bool user_namespace, bool network_namespace) {
  void* memory = ::mmap(nullptr, sizeof(Order), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int ends[2];
  if (memory == MAP_FAILED || ::pipe2(ends, O_CLOEXEC) < 0) fail_errno("prepare", "the namespaces' holder");
  order = static_cast<Order*>(memory);
  go[0] = ends[0];
  go[1] = ends[1];
  pid_t self = ::getpid();
  std::uint64_t flags = CLONE_FILES;
  // What is made in a joined user namespace is made when it has been joined.
  bool joins = is_joined(plan.namespaces.user);
  if (user_namespace && !joins) flags |= CLONE_NEWUSER;
  if (network_namespace && !joins) flags |= CLONE_NEWNET;
  holder_pid = clone_process(flags, SIGCHLD);
  if (holder_pid == 0) wait_and_bear(ends[0], self);
  if (holder_pid < 0) fail_errno("make", user_namespace ? "a user namespace" : "a network namespace");
}

bool made() { return holder_pid > 0; }
pid_t pid() { return holder_pid; }

void map_ids() {
  Path path;
  if (is_joined(plan.namespaces.user)) {
    path.add(plan.namespaces.user);
  } else {
    write_map("uid_map");
    write_map("gid_map");
    path.add("/proc/").add(static_cast<std::uint64_t>(holder_pid)).add("/ns/user");
  }
  user_fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (user_fd < 0) fail_errno("open", path.c_str());
}

int user_namespace() { return user_fd; }

pid_t bear(void (*first)(), int cgroup) {
  order->first = first;
  order->cgroup = cgroup;
  order->child = -1;
  order->error = ECHILD;
  if (!write_all(go[1], "g", 1)) fail_errno("order", "a process");
  while (::waitpid(holder_pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  holder_pid = -1;
  for (int fd : go) ::close(fd);
  if (order->child > 0) return order->child;
  if (order->unjoined != nullptr)
    fail({.kind = "conflict",
          .what = "join",
          .object = order->unjoined,
          .error = order->join_error,
          .fix = "the container whose namespace it is must run: start it first"});
  errno = order->error;
  fail_errno("make", "the container's process");
}

void end() {
  if (holder_pid <= 0) return;
  ::kill(holder_pid, SIGKILL);
  while (::waitpid(holder_pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  holder_pid = -1;
}

}  // namespace gantry::shim::holder
