#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

/// The shim's few tools: no allocation, no exceptions, no standard library containers.
namespace gantry::shim {

/// Text put together in a fixed buffer; what does not fit is cut.
template <std::size_t N>
class Text {
 public:
  Text& add(const char* text) {
    while (*text != 0 && length_ + 1 < N) data_[length_++] = *text++;
    data_[length_] = 0;
    return *this;
  }
  Text& add(const char* text, std::size_t size) {
    while (size-- > 0 && length_ + 1 < N) data_[length_++] = *text++;
    data_[length_] = 0;
    return *this;
  }
  Text& add(std::uint64_t number) {
    char digits[21];
    int n = 0;
    do digits[n++] = static_cast<char>('0' + number % 10);
    while ((number /= 10) != 0);
    while (n > 0 && length_ + 1 < N) data_[length_++] = digits[--n];
    data_[length_] = 0;
    return *this;
  }
  void clear() { data_[length_ = 0] = 0; }
  const char* c_str() const { return data_; }
  std::size_t length() const { return length_; }

 private:
  char data_[N] = {};
  std::size_t length_ = 0;
};

using Path = Text<4096>;

/// Three lines: kind, message, fix.
using FailureText = Text<8192>;

struct Failure {
  const char* kind;  ///< an ErrorKind's name
  const char* what;
  const char* object = "";
  int error = 0;  ///< errno, or 0
  const char* fix = "";
};

/// Tells every connected client, releases what the container holds, and ends the process. In a child that has called
/// `report_failures_to`, it writes the message there and ends the child.
[[noreturn]] void fail(const Failure& failure);
/// The same with what a child reported.
[[noreturn]] void fail_with(const FailureText& text);
/// fail with errno's meaning.
[[noreturn]] void fail_errno(const char* what, const char* object);

/// For a child of the shim: its failures are the shim's to tell.
void report_failures_to(int fd);
FailureText to_text(const Failure& failure);
/// The descriptor of `report_failures_to`, or -1.
int failure_channel();

std::int64_t wall_nanos();
std::int64_t steady_nanos();
std::int64_t steady_millis();
bool write_all(int fd, const char* data, std::size_t size);

/// One packet, or what a stream holds, with the descriptors that came along; they are closed on exec.
struct Received {
  ssize_t size = -1;  ///< negative: errno says why; 0: the end
  int count = 0;
  int descriptors[2] = {-1, -1};
};
Received receive(int socket, char* data, std::size_t room);
/// At most `size - 1` bytes of a small file, ended by NUL; -1 when it cannot be read.
ssize_t read_small(int dir_fd, const char* path, char* buffer, std::size_t size);
std::uint64_t to_number(const char* text);

/// Zeroed memory of this process' own; pages that are not touched cost nothing.
void* map_memory(std::size_t size);
/// Empties it, and children born from here on share it.
void share_memory(void* place, std::size_t size);

/// fork and exec with the given standard streams; everything else is closed on exec, signals are as at birth. It is
/// killed when the shim is. `prepare` runs in the child before exec.
pid_t start_program(const char* const* argv, int in, int out, int err, void (*prepare)() = nullptr);

}  // namespace gantry::shim
