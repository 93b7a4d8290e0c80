#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "plan.h"
#include "sys.h"

namespace gantry::shim::streams {

int out = -1, err = -1, in = -1;
int program_in = -1, program_out = -1, program_err = -1;

namespace {

int console_listener = -1;
char pending[runtime::shim::kMaxPayload];
std::size_t pending_size = 0;
bool closing = false;
bool broken = false;

void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

// Nobody reads any more. A terminal's `in` is a second name of `out`, whose interest set would outlive it: kept open.
void break_input() {
  broken = true;
  if (!plan.tty) close_fd(in);
}

// Owned by the program's user, so that it can open /dev/stdout again.
void make_pipe(int& ours, int& theirs, bool program_reads) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) fail_errno("make", "a pipe");
  ours = ends[program_reads ? 1 : 0];
  theirs = ends[program_reads ? 0 : 1];
  ::fcntl(ours, F_SETFL, O_NONBLOCK);
  if (::fchown(theirs, plan.owner_uid, plan.owner_gid) < 0) fail_errno("give away", "a pipe");
}

// A relative name: the run directory's path may be longer than a socket address can hold.
void make_console_listener() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, "console.sock");
  ::unlink(address.sun_path);
  console_listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (console_listener < 0 || ::bind(console_listener, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 ||
      ::listen(console_listener, 1) < 0)
    fail_errno("listen on", "console.sock");
}

void use_terminal(int master) {
  out = master;
  ::fcntl(out, F_SETFL, O_RDWR | O_NONBLOCK);
  in = ::fcntl(out, F_DUPFD_CLOEXEC, 3);
}

void take_console() {
  int connection = ::accept4(console_listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (connection < 0) fail_errno("receive", "the terminal");
  char name[256];
  int master = receive(connection, name, sizeof name).descriptors[0];
  if (master < 0) fail({.kind = "internal", .what = "the OCI runtime sent no terminal"});
  use_terminal(master);
  ::close(connection);
  close_fd(console_listener);
  ::unlink("console.sock");
}

}  // namespace

void make() {
  if (plan.tty) return plan.native ? void() : make_console_listener();
  make_pipe(out, program_out, false);
  make_pipe(err, program_err, false);
  if (plan.open_stdin) make_pipe(in, program_in, true);
}

void take_terminal(int master) {
  if (master < 0) fail({.kind = "internal", .what = "the container's process sent no terminal"});
  use_terminal(master);
}

void program_made() {
  if (plan.tty && !plan.native) take_console();
  close_fd(program_in);
  close_fd(program_out);
  close_fd(program_err);
}

void discard_pending() {
  char buffer[4096];
  for (int fd : {out, err})
    while (fd >= 0 && ::read(fd, buffer, sizeof buffer) > 0) {
    }
}

bool write_input(const char* data, std::size_t size) {
  if (in < 0 || closing || broken || size > sizeof pending - pending_size) return true;
  memcpy(pending + pending_size, data, size);
  pending_size += size;
  return flush_input();
}

bool flush_input() {
  std::size_t done = 0;
  while (in >= 0 && !broken && done < pending_size) {
    ssize_t n = ::write(in, pending + done, pending_size - done);
    if (n > 0) done += static_cast<std::size_t>(n);
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0 && errno != EINTR) {
      break_input();
      break;
    }
  }
  pending_size = in < 0 || broken ? 0 : pending_size - done;
  memmove(pending, pending + done, pending_size);
  if (pending_size > 0) return false;
  if (closing) close_fd(in);
  return true;
}

void close_input() {
  // End of input on a terminal is a character.
  if (plan.tty) {
    write_input("\x04", 1);
    return;
  }
  closing = true;
  flush_input();
}

void resize(const runtime::shim::Window& window) {
  if (!plan.tty || out < 0) return;
  winsize size{};
  size.ws_row = window.rows;
  size.ws_col = window.columns;
  ::ioctl(out, TIOCSWINSZ, &size);
}

}  // namespace gantry::shim::streams
