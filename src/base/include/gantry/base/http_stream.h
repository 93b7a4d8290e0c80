#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "gantry/base/async.h"
#include "gantry/base/stream.h"

namespace gantry::http {

/// A connection that has left HTTP (status 101): bytes both ways, each direction ended on its own. One reader and one
/// writer at a time. Operations throw Error; a peer that has gone is `unavailable`. Destroying it closes it.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// At least one byte, or 0 when the peer has ended its direction.
  virtual task<std::size_t> read_some(std::span<char> buffer) = 0;
  /// All of it; returns when the kernel has taken it (back-pressure).
  virtual task<> write(std::string data) = 0;
  /// Ends our direction; the peer reads end of file, and may go on sending.
  virtual void shutdown_write() = 0;
  virtual void close() = 0;
};

/// Several streams over one connection, as the Docker Engine API frames them: 8 bytes {stream, 0, 0, 0, length as
/// big-endian u32}, then the data.
std::string frame_header(StdStream stream, std::uint32_t length);
std::string frame(StdStream stream, std::string_view data);

/// Takes frames out of a byte sequence that arrives in pieces of any size.
class FrameParser {
 public:
  explicit FrameParser(std::size_t max_frame = 16u << 20) : max_frame_(max_frame) {}
  void feed(std::string_view bytes) { pending_.append(bytes); }
  /// The next complete frame; nullopt when more bytes are needed. Throws Error (invalid) for an unknown stream or a
  /// frame over the limit.
  std::optional<Chunk> next();
  /// True in the middle of a frame: an end of input here is a broken connection.
  bool partial() const { return !pending_.empty(); }

 private:
  std::string pending_;
  std::size_t max_frame_;
};

}  // namespace gantry::http
