#include "gantry/base/fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "gantry/base/error.h"

namespace gantry {

void Fd::reset() {
  // Linux releases the descriptor even when close reports EINTR; trying again could close somebody else's.
  if (raw_ >= 0) ::close(std::exchange(raw_, -1));
}

Fd Fd::duplicate() const {
  int copy = ::fcntl(raw_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw_errno("duplicate a descriptor");
  return Fd(copy);
}

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) throw_errno("create a pipe");
  return {Fd(ends[0]), Fd(ends[1])};
}

Fd open_file(const std::string& path, int flags, unsigned mode) {
  int raw;
  do raw = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  while (raw < 0 && errno == EINTR);
  if (raw < 0) throw_errno("open " + path);
  return Fd(raw);
}

void write_all(int fd, std::string_view data, std::string_view what) {
  while (!data.empty()) {
    ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      throw_errno("write " + std::string(what));
    }
    data.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string read_to_end(int fd, std::string_view what, std::size_t limit) {
  std::string out;
  char buffer[16384];
  for (;;) {
    ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0) {
      if (errno == EINTR) continue;
      throw_errno("read " + std::string(what));
    }
    if (n == 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
    if (out.size() > limit)
      throw Error(ErrorKind::exhausted,
                  "read " + std::string(what) + ": more than " + std::to_string(limit) + " bytes");
  }
}

}  // namespace gantry
