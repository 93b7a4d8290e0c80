#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

namespace gantry::shim {
namespace {

const char* kind_of(int error) {
  switch (error) {
    case ENOENT:
      return "not_found";
    case EEXIST:
    case EBUSY:
      return "conflict";
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return "exhausted";
    case EACCES:
    case EPERM:
      return "denied";
    default:
      return "internal";
  }
}

std::int64_t clock_nanos(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

int channel = -1;

}  // namespace

void report_failures_to(int fd) { channel = fd; }
int failure_channel() { return channel; }

FailureText to_text(const Failure& failure) {
  FailureText message;
  message.add(failure.kind).add("\n").add(failure.what);
  if (*failure.object != 0) message.add(" ").add(failure.object);
  if (failure.error != 0) message.add(": ").add(strerrordesc_np(failure.error));
  message.add("\n").add(failure.fix);
  return message;
}

void fail_errno(const char* what, const char* object) {
  int error = errno;
  fail({.kind = kind_of(error), .what = what, .object = object, .error = error});
}

std::int64_t wall_nanos() { return clock_nanos(CLOCK_REALTIME); }
std::int64_t steady_nanos() { return clock_nanos(CLOCK_MONOTONIC); }
std::int64_t steady_millis() { return clock_nanos(CLOCK_MONOTONIC) / 1'000'000; }

bool write_all(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    ssize_t n = ::write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

Received receive(int socket, char* data, std::size_t room) {
  Received out;
  iovec part{data, room};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof out.descriptors)];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  do out.size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (out.size < 0 && errno == EINTR);
  cmsghdr* header = out.size > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return out;
  std::size_t length = header->cmsg_len - CMSG_LEN(0);
  memcpy(out.descriptors, CMSG_DATA(header), length);
  out.count = static_cast<int>(length / sizeof(int));
  return out;
}

ssize_t read_small(int dir_fd, const char* path, char* buffer, std::size_t size) {
  int fd = ::openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  std::size_t used = 0;
  while (used + 1 < size) {
    ssize_t n = ::read(fd, buffer + used, size - 1 - used);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    used += static_cast<std::size_t>(n);
  }
  ::close(fd);
  buffer[used] = 0;
  return static_cast<ssize_t>(used);
}

std::uint64_t to_number(const char* text) {
  std::uint64_t value = 0;
  while (*text >= '0' && *text <= '9') value = value * 10 + static_cast<std::uint64_t>(*text++ - '0');
  return value;
}

namespace {

// crun gives its standard input to the container's user: /dev/null would change its owner on the host.
int empty_input() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return -1;
  ::close(ends[1]);
  return ends[0];
}

}  // namespace

void* map_memory(std::size_t size) {
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) ::_exit(1);
  return memory;
}

void share_memory(void* place, std::size_t size) {
  void* memory = ::mmap(place, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (memory == MAP_FAILED) fail_errno("share", "memory");
}

pid_t start_program(const char* const* argv, int in, int out, int err, void (*prepare)()) {
  pid_t self = ::getpid();
  pid_t pid = ::fork();
  if (pid != 0) return pid;
  // Whoever clears up after a killed shim must not be overtaken by a launcher that goes on making things.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != self) ::_exit(127);
  sigset_t none;
  ::sigemptyset(&none);
  ::signal(SIGPIPE, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (prepare != nullptr) prepare();
  int fds[3] = {in, out, err};
  // Out of the way of 0, 1 and 2 first, so that no dup2 overwrites a source that is still needed.
  for (int& fd : fds)
    if (fd >= 0) fd = ::fcntl(fd, F_DUPFD_CLOEXEC, 10);
  for (int i = 0; i < 3; ++i) {
    int source = fds[i] >= 0 ? fds[i] : i == 0 ? empty_input() : ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(source, i);
    if (source == i) ::fcntl(i, F_SETFD, 0);
  }
  ::execv(argv[0], const_cast<char* const*>(argv));
  ::_exit(127);
}

}  // namespace gantry::shim
