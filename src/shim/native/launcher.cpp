#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <new>

#include "cgroups.h"
#include "holder.h"
#include "mounts.h"
#include "native/birth.h"
#include "native/cgroup.h"
#include "native/native.h"
#include "native/process.h"
#include "native/rootfs.h"
#include "plan.h"
#include "streams.h"
#include "sys.h"
#include "trace.h"

namespace gantry::shim::native {

Birth& birth = *static_cast<Birth*>(map_memory(sizeof(Birth)));

void share_birth() { share_memory(&birth, sizeof birth); }

namespace {

int to_child = -1;
int null_device = -1;
pid_t program_pid = -1;
bool ready = false;
bool let_go = false;  // told that it need not wait when it is ready

bool readable_within(int fd, int milliseconds) {
  pollfd wait{fd, POLLIN, 0};
  return ::poll(&wait, 1, milliseconds) > 0;
}

void make_channel() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) fail_errno("make", "a channel");
  to_child = ends[0];
  birth.channel = ends[1];
}

void hand_over_streams() {
  null_device = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null_device < 0) fail_errno("open", "/dev/null");
  auto or_null = [](int fd) { return fd >= 0 ? fd : null_device; };
  birth.in = or_null(streams::program_in);
  birth.out = or_null(streams::program_out);
  birth.err = or_null(streams::program_err);
}

void close_handed_over() {
  ::close(null_device);
  if (plan.exec) return;
  ::close(birth.channel);
  ::close(birth.root);
  for (std::size_t i = 0; i < plan.bind_count; ++i) ::close(birth.binds[i]);
}

void read_filter() {
  birth.filter_size = 0;
  if (*plan.seccomp == 0) return;
  int fd = ::open(plan.seccomp, O_RDONLY | O_CLOEXEC);
  ssize_t size = fd < 0 ? -1 : ::read(fd, birth.filter, sizeof birth.filter);
  if (size <= 0) fail_errno("read the system call filter", plan.seccomp);
  birth.filter_size = static_cast<std::size_t>(size) / sizeof(sock_filter);
  ::close(fd);
}

// By the shim, where the host's capabilities still hold.
void apply_limits(pid_t pid) {
  for (std::size_t i = 0; i < plan.limit_count; ++i) {
    rlimit limit{plan.limits[i].soft, plan.limits[i].hard};
    if (::prlimit(pid, static_cast<__rlimit_resource>(plan.limits[i].resource), &limit, nullptr) < 0)
      fail_errno("set", "a resource limit");
  }
}

void apply_oom_score(pid_t pid) {
  if (*plan.oom_score_adj == 0) return;
  Text<64> path;
  path.add("/proc/").add(static_cast<std::uint64_t>(pid)).add("/oom_score_adj");
  int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0 || !write_all(fd, plan.oom_score_adj, strlen(plan.oom_score_adj)))
    fail_errno("set the score for the out-of-memory killer to", plan.oom_score_adj);
  ::close(fd);
}

// Two halves: the first is done while nobody waits for it.
[[noreturn]] void run_first_process() {
  report_failures_to(birth.channel);
  begin_process();
  join_cgroups();
  become_root();
  die_with_shim();
  // A control group namespace is rooted where its maker is, and message queues belong to theirs.
  int flags =
      (plan.namespaces.cgroup == nullptr ? CLONE_NEWCGROUP : 0) | (plan.namespaces.ipc == nullptr ? CLONE_NEWIPC : 0);
  if (::unshare(flags) < 0) fail_errno("make", "namespaces");
  make_view();
  tell_ready(-1);

  wait_for_go();
  trace::mark("first process goes on");
  if (::unshare(CLONE_FILES) < 0) fail_errno("unshare", "descriptors");
  join_keyring();
  if (*plan.hostname != 0 && ::sethostname(plan.hostname, strlen(plan.hostname)) < 0)
    fail_errno("set the host name", plan.hostname);
  if (*plan.domain_name != 0 && ::setdomainname(plan.domain_name, strlen(plan.domain_name)) < 0)
    fail_errno("set the domain name", plan.domain_name);
  if (!plan.tty) use_streams();
  make_root();
  trace::mark("mounts made");
  write_sysctls();
  enter_root();
  int terminal = plan.tty ? make_terminal() : -1;
  if (plan.tty) show_console();
  keep_only({birth.channel, terminal});
  drop_privileges();
  die_with_shim();  // the kernel forgets that when the user changes
  leave_hosts_null();
  enter_working_directory();
  const char* path = find_program();
  trace::mark("ready");
  tell_ready(terminal);
  if (terminal >= 0) ::close(terminal);

  wait_for_go();
  require_shim();
  trace::mark("told to go");
  outlive_shim();
  execute(path);
}

void send_go() {
  // One that has ended meanwhile is told of by the end of the channel.
  if (to_child < 0 || ::send(to_child, "g", 1, MSG_NOSIGNAL) == 1 || errno == EPIPE || errno == ECONNRESET) return;
  fail_errno("speak to", "the container's process");
}

Awaited create() {
  read_filter();
  hand_over_streams();
  mount_detached(&birth.root, birth.binds);
  trace::mark("root mounted");
  set_cgroups();
  apply_limits(program_pid);
  apply_oom_score(program_pid);
  send_go();
  return {.channel = to_child};
}

void start_follows() {
  send_go();
  let_go = true;
}

Awaited start() {
  if (!let_go) send_go();
  return {.channel = to_child};
}

int namespaces_of_container(int process) {
  int flags = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWNS;
  if (plan.mapped) flags |= CLONE_NEWUSER;
  return ::setns(process, flags);
}

// Whoever may trace in the container sees this one from its birth: it has nothing that the program will not have.
[[noreturn]] void run_further_process() {
  begin_process();
  int terminal = plan.tty ? make_terminal() : -1;
  leave_hosts_null();
  enter_working_directory();
  const char* path = find_program();
  tell_ready(terminal);
  if (terminal >= 0) ::close(terminal);
  execute(path);
}

[[noreturn]] void enter_and_bear(int process, int reply) {
  ::prctl(PR_SET_DUMPABLE, 0);
  report_failures_to(birth.channel);
  apply_limits(0);
  apply_oom_score(::getpid());
  join_cgroups();
  if (!plan.tty) use_streams();
  keep_only({birth.channel, process, reply});  // others are in there already
  if (namespaces_of_container(process) < 0) fail_errno("enter", "the container");
  become_root();
  join_keyring();
  drop_privileges();
  pid_t child = static_cast<pid_t>(::syscall(SYS_clone, CLONE_PARENT, nullptr, nullptr, nullptr, nullptr));
  if (child == 0) {
    ::close(process);
    ::close(reply);
    run_further_process();
  }
  if (child < 0) fail_errno("make", "a process in the container");
  write_all(reply, reinterpret_cast<const char*>(&child), sizeof child);
  ::_exit(0);
}

Awaited exec() {
  make_channel();
  hand_over_streams();
  read_filter();
  int process = static_cast<int>(::syscall(SYS_pidfd_open, plan.container_pid, 0));
  if (process < 0 || !is_in_cgroup(plan.container_pid))
    fail({.kind = "conflict", .what = "the container is not running", .fix = "start it first"});
  int directory = open_cgroups();
  int reply[2];
  if (::pipe2(reply, O_CLOEXEC) < 0) fail_errno("make", "a pipe");
  pid_t helper = holder::clone_process(0, SIGCHLD, directory);
  if (helper == 0) enter_and_bear(process, reply[1]);
  if (helper < 0) fail_errno("make", "a process");
  close_cgroups(directory);
  ::close(process);
  ::close(birth.channel);
  ::close(reply[1]);
  if (::read(reply[0], &program_pid, sizeof program_pid) != sizeof program_pid) program_pid = -1;
  ::close(reply[0]);
  while (::waitpid(helper, nullptr, 0) < 0 && errno == EINTR) {
  }
  return {.channel = to_child};
}

enum class Said { it_is_ready, end };

// "r": ready, with the terminal's master. Three lines: a failure. The end: the program was executed, or nothing is left
// that could be.
Said listen(int* terminal) {
  static FailureText text;
  static char data[8192];
  auto got = receive(to_child, data, sizeof data - 1);
  if (got.size < 0) fail_errno("listen to", "the container's process");
  if (got.size == 0) return Said::end;
  if (got.size == 1) {
    *terminal = got.descriptors[0];
    return Said::it_is_ready;
  }
  data[got.size] = 0;
  text.clear();
  fail_with(text.add(data));
}

bool received() {
  int terminal = -1;
  if (listen(&terminal) == Said::end) {
    if (!ready) fail({.kind = "internal", .what = "the container's process ended before it was ready"});
    ::close(to_child);
    to_child = -1;
    return true;
  }
  ready = true;
  close_handed_over();
  if (plan.tty) streams::take_terminal(terminal);
  return !plan.exec;
}

pid_t program() { return program_pid; }

}  // namespace

void stand_by() {
  make_channel();
  make_cgroups();
  set_cgroups();
  int directory = open_cgroups();
  program_pid = holder::bear(run_first_process, directory);
  int none;
  // Our copy of the child's end is open still, so its death must be asked for.
  while (!readable_within(to_child, 100))
    if (::waitpid(program_pid, nullptr, WNOHANG) == program_pid)
      fail({.kind = "internal", .what = "the container's first process was killed"});
  listen(&none);
  close_cgroups(directory);  // only now: the child shares our descriptors
}

bool something_said() { return readable_within(to_child, 0); }

void give_up_standing_by() {
  ::kill(program_pid, SIGKILL);
  while (::waitpid(program_pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  remove_cgroups();
}

}  // namespace gantry::shim::native

namespace gantry::shim {

const Launcher native_launcher = {.create = native::create,
                                  .start_follows = native::start_follows,
                                  .start = native::start,
                                  .exec = native::exec,
                                  .received = native::received,
                                  .program = native::program};

}  // namespace gantry::shim
