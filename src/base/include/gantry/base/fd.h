#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace gantry {

/// Owns one file descriptor from birth; closes it in the destructor. Always close-on-exec from birth.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int raw) : raw_(raw) {}
  Fd(Fd&& other) noexcept : raw_(std::exchange(other.raw_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      raw_ = std::exchange(other.raw_, -1);
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  int get() const { return raw_; }
  explicit operator bool() const { return raw_ >= 0; }
  int release() { return std::exchange(raw_, -1); }
  void reset();
  /// A second descriptor for the same open file. Throws Error.
  Fd duplicate() const;

 private:
  int raw_ = -1;
};

struct Pipe {
  Fd read;
  Fd write;
};

/// pipe2(O_CLOEXEC). Throws Error.
Pipe make_pipe();
/// open(2) with O_CLOEXEC added. Throws Error naming the path.
Fd open_file(const std::string& path, int flags, unsigned mode = 0644);
/// Writes everything, across short writes and EINTR. Throws Error; `what` names the object in it.
void write_all(int fd, std::string_view data, std::string_view what);
/// Reads until end of file, at most `limit` bytes; more is an Error (exhausted).
std::string read_to_end(int fd, std::string_view what, std::size_t limit = 64u << 20);

}  // namespace gantry
