#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "gantry/base/async.h"

namespace gantry {

/// Which of a program's streams bytes belong to; the values are those of Docker's multiplexed framing. `note` never
/// comes from a program: it is what the daemon says about one, as JSON (docs/api.md).
enum class StdStream : unsigned char { in = 0, out = 1, err = 2, note = 3 };

struct Chunk {
  StdStream stream = StdStream::out;
  std::string data;
};

/// The two-way connection to a program's standard streams: a running container (attach) or an exec.
/// One reader and one writer at a time. Destroying it detaches; the program goes on.
class StdioSession {
 public:
  virtual ~StdioSession() = default;
  /// The next bytes the program wrote; nullopt when it has closed its streams. With a terminal all is `out`.
  virtual task<std::optional<Chunk>> read() = 0;
  /// Bytes for the program's standard input; waits while the program does not read (back-pressure).
  virtual task<> write(std::string data) = 0;
  /// End of input.
  virtual task<> close_input() = 0;
};

}  // namespace gantry
