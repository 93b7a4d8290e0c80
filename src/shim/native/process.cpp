#include "native/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>

#include "native/birth.h"
#include "plan.h"
#include "sys.h"

namespace gantry::shim::native {
namespace {

constexpr char kNoCommandFix[] = "check the command's spelling, and that the image contains it";
constexpr char kNoInterpreterFix[] =
    "check the command's spelling, and that the image contains it (for a script: also the interpreter in its first "
    "line)";

[[noreturn]] void fail_program(const char* kind, const char* why, const char* fix) {
  Path message;
  message.add(plan.arguments.items[0]).add(": ").add(why);
  fail({.kind = kind, .what = message.c_str(), .fix = fix});
}

[[noreturn]] void fail_execution(int error) {
  if (error == ENOENT || error == ENOTDIR) fail_program("not_found", "no such command in the image", kNoInterpreterFix);
  if (error == EACCES)
    fail_program("invalid", "the command is not executable", "set its execute permission in the image (chmod +x)");
  if (error == ENOEXEC)
    fail_program("invalid", "the command is not a program for this machine",
                 "check the image's architecture, and the first line of a script");
  fail({.kind = "invalid", .what = "execute", .object = plan.arguments.items[0], .error = error});
}

// For raw calls: glibc's would tell other threads, of which there are none.
void check(long result, const char* what, const char* object) {
  if (result < 0) fail_errno(what, object);
}

void set_user() {
  check(::syscall(SYS_setgroups, plan.groups.count, plan.groups.items), "set", "the groups");
  check(::syscall(SYS_setresgid, plan.gid, plan.gid, plan.gid), "set", "the group");
  check(::syscall(SYS_setresuid, plan.uid, plan.uid, plan.uid), "set", "the user");
}

void limit_bounding_set() {
  for (unsigned long number = 0; number < 64; ++number)
    if ((plan.capabilities >> number & 1) == 0 && ::prctl(PR_CAPBSET_DROP, number) < 0) {
      if (errno == EINVAL) break;  // the kernel has no more
      fail_errno("drop", "a capability");
    }
}

void set_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2]{};
  for (int i : {0, 1}) {
    auto half = static_cast<std::uint32_t>(plan.capabilities >> (32 * i));
    sets[i].permitted = sets[i].effective = half;
  }
  check(::syscall(SYS_capset, &header, sets), "set", "the capabilities");
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

void install_filter() {
  if (birth.filter_size == 0) return;
  sock_fprog program{static_cast<unsigned short>(birth.filter_size), birth.filter};
  check(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), "install", "the system call filter");
}

const char* variable(const char* name) {
  std::size_t length = strlen(name);
  for (const char* entry : plan.environment)
    if (strncmp(entry, name, length) == 0 && entry[length] == '=') return entry + length + 1;
  return nullptr;
}

enum class Found { no, not_executable, yes };

Found look(const char* path) {
  struct stat info {};
  if (::stat(path, &info) < 0) return errno == EACCES ? Found::not_executable : Found::no;
  if (!S_ISREG(info.st_mode)) return Found::not_executable;
  return ::faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? Found::yes : Found::not_executable;
}

void send_descriptor(int channel, int fd) {
  char byte = 'r';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  if (::sendmsg(channel, &message, MSG_NOSIGNAL) < 0) ::_exit(1);
}

}  // namespace

void begin_process() {
  ::prctl(PR_SET_DUMPABLE, 0);
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::umask(022);
  check(::setsid(), "begin", "a session");
}

void become_root() {
  if (!plan.mapped) return;
  check(::syscall(SYS_setgroups, 0, nullptr), "clear", "the groups");
  check(::syscall(SYS_setresgid, 0, 0, 0), "become", "the container's root group");
  check(::syscall(SYS_setresuid, 0, 0, 0), "become", "the container's root");
  ::prctl(PR_SET_DUMPABLE, 0);
}

void die_with_shim() { ::prctl(PR_SET_PDEATHSIG, SIGKILL); }
void outlive_shim() { ::prctl(PR_SET_PDEATHSIG, 0); }

// A kernel without keyrings has none to share.
void join_keyring() {
  if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, plan.id) < 0 && errno != ENOSYS && errno != EDQUOT)
    fail_errno("join", "a keyring of the container's own");
}

int make_terminal() {
  int master = ::open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  struct statfs info {};
  if (master < 0 || ::fstatfs(master, &info) < 0) fail_errno("open", "/dev/pts/ptmx");
  if (info.f_type != DEVPTS_SUPER_MAGIC) fail({.kind = "denied", .what = "/dev/pts is not the container's own"});
  int unlocked = 0;
  check(::ioctl(master, TIOCSPTLCK, &unlocked), "unlock", "the terminal");
  int slave = ::ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) fail_errno("open", "the terminal");
  struct stat made {};
  if (::fstat(slave, &made) < 0 || (made.st_uid != plan.uid && ::fchown(slave, plan.uid, static_cast<gid_t>(-1)) < 0))
    fail_errno("give away", "the terminal");
  for (int fd : {0, 1, 2}) check(::dup2(slave, fd), "use", "the terminal");
  check(::ioctl(0, TIOCSCTTY, 0), "take", "the terminal");
  if (slave > 2) ::close(slave);
  return master;
}

void use_streams() {
  int fds[3] = {birth.in, birth.out, birth.err};
  // Out of the way of 0, 1 and 2 first, so that no dup2 overwrites a source that is still needed.
  for (int& fd : fds) fd = ::fcntl(fd, F_DUPFD_CLOEXEC, 10);
  for (int i = 0; i < 3; ++i) check(fds[i] < 0 ? -1 : ::dup2(fds[i], i), "use", "a standard stream");
}

// Whoever is root there could change the host's for everybody (fchmod). The container may have put anything in the
// place of its own.
void leave_hosts_null() {
  if (plan.tty || plan.open_stdin) return;
  int null = ::open("/dev/null", O_RDWR | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
  struct stat info {};
  bool right = null >= 0 && ::fstat(null, &info) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3);
  int ends[2] = {-1, -1};
  if (!right) check(::pipe2(ends, O_CLOEXEC), "make", "an empty input");
  check(::dup2(right ? null : ends[0], 0), "use", "an empty input");
  for (int fd : {null, ends[0], ends[1]})
    if (fd >= 0) ::close(fd);
}

void keep_only(std::initializer_list<int> wanted) {
  int next = 3;
  auto close_up_to = [&](int last) {
    if (next <= last) check(::syscall(SYS_close_range, next, last, 0), "close", "the descriptors of the host");
  };
  for (;;) {
    int lowest = INT_MAX;
    for (int fd : wanted)
      if (fd >= next) lowest = std::min(lowest, fd);
    if (lowest == INT_MAX) break;
    close_up_to(lowest - 1);
    next = lowest + 1;
  }
  close_up_to(INT_MAX);
}

void enter_working_directory() {
  if (::chdir(plan.working_dir) < 0) fail_errno("change to working directory", plan.working_dir);
  // Nothing open leads outside of the root any more; should that ever change, this is the second lock.
  char here[4096];
  if (::syscall(SYS_getcwd, here, sizeof here) < 0 || here[0] != '/')
    fail({.kind = "denied", .what = "the working directory is outside of the container:", .object = plan.working_dir});
}

void drop_privileges() {
  if (plan.no_new_privileges) check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "set", "no new privileges");
  limit_bounding_set();
  if (!plan.no_new_privileges) install_filter();
  check(::prctl(PR_SET_KEEPCAPS, 1), "keep", "capabilities");
  set_user();
  check(::prctl(PR_SET_KEEPCAPS, 0), "end keeping", "capabilities");
  set_capabilities();
  ::prctl(PR_SET_DUMPABLE, 0);
}

const char* find_program() {
  static Path path;
  const char* command = plan.arguments.items[0];
  if (strchr(command, '/') != nullptr) {
    path.add(command);
    auto found = look(path.c_str());
    if (found == Found::yes) return path.c_str();
    fail_execution(found == Found::no ? ENOENT : EACCES);
  }
  auto best = Found::no;
  const char* directories = variable("PATH");
  for (const char* at = directories != nullptr ? directories : "/bin:/usr/bin"; *command != 0;) {
    const char* end = strchrnul(at, ':');
    path.clear();
    path.add(at, static_cast<std::size_t>(end - at)).add(end == at ? "./" : "/").add(command);
    auto found = look(path.c_str());
    if (found == Found::yes) return path.c_str();
    if (found > best) best = found;
    if (*end == 0) break;
    at = end + 1;
  }
  if (best == Found::not_executable) fail_execution(EACCES);
  fail_program("not_found", "no such command in the image", kNoCommandFix);
}

void execute(const char* program) {
  plan.arguments.items[plan.arguments.count] = nullptr;
  plan.environment.items[plan.environment.count] = nullptr;
  // The channel, whose end tells the shim that the program runs.
  ::syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
  // As late as possible, so that the program's filter need not allow what made it.
  if (plan.no_new_privileges) install_filter();
  ::execve(program, const_cast<char* const*>(plan.arguments.items), const_cast<char* const*>(plan.environment.items));
  fail_execution(errno);
}

void tell_ready(int terminal) { send_descriptor(birth.channel, terminal); }

void wait_for_go() {
  char byte;
  ssize_t n;
  do n = ::read(birth.channel, &byte, 1);
  while (n < 0 && errno == EINTR);
  if (n != 1) ::_exit(0);  // the shim has gone
}

// It may have been told before its shim went.
void require_shim() {
  char byte;
  if (::recv(birth.channel, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) ::_exit(0);
}

}  // namespace gantry::shim::native
