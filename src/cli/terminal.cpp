#include "terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>

#include "gantry/base/error.h"

namespace gantry::cli {
namespace {

// Plain globals, because a signal handler must be able to use them.
std::atomic<int> raw_fd{-1};
termios saved_settings{};

}  // namespace

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

std::optional<engine::TerminalSize> terminal_size(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return std::nullopt;
  return engine::TerminalSize{size.ws_row, size.ws_col};
}

RawMode::RawMode(int fd) {
  if (::tcgetattr(fd, &saved_settings) != 0) throw_errno("reading the terminal's settings");
  raw_fd = fd;
  termios raw = saved_settings;
  ::cfmakeraw(&raw);
  if (::tcsetattr(fd, TCSADRAIN, &raw) != 0) {
    raw_fd = -1;
    throw_errno("setting the terminal to raw mode");
  }
}

RawMode::~RawMode() { restore_terminal(); }

void restore_terminal() {
  int fd = raw_fd.exchange(-1);
  if (fd >= 0) ::tcsetattr(fd, TCSADRAIN, &saved_settings);
}

}  // namespace gantry::cli
