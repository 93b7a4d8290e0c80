#pragma once

#include <boost/beast/core/flat_buffer.hpp>

#include <chrono>
#include <memory>
#include <string>

#include "gantry/base/async.h"
#include "gantry/base/fd.h"
#include "gantry/base/http_stream.h"

/// Private to base's HTTP server and client: one socket and the bytes read from it that nobody has consumed yet.
namespace gantry::http {

using Socket = asio::local::stream_protocol::socket;
using Deadline = std::chrono::steady_clock::time_point;
inline constexpr Deadline kNoDeadline = Deadline::max();
inline constexpr std::size_t kReadSize = 64u << 10;  // bytes asked of a socket at once

inline Deadline deadline_in(std::chrono::seconds limit) { return std::chrono::steady_clock::now() + limit; }

class Wire {
 public:
  explicit Wire(Socket connected) : socket(std::move(connected)) {}

  /// Reads once into `buffer`; 0 at end of file (a reset connection counts as its end). Throws Error (timeout) past
  /// the deadline.
  task<std::size_t> fill(std::size_t at_most, Deadline deadline);
  /// Writes everything. `stall` bounds the time without progress; zero means no bound. Throws Error: `timeout`, or
  /// `unavailable` when the peer has gone.
  task<> write_all(std::string data, std::chrono::seconds stall);
  /// The same with bytes of a file, see Exchange::write_file.
  task<> send_file(std::shared_ptr<const Fd> file, std::uint64_t at, std::uint64_t size, WorkerPool& pool,
                   std::chrono::seconds stall);
  /// Takes up to `size` buffered bytes.
  std::size_t take(char* out, std::size_t size);
  void shutdown_write();
  void shutdown_both();

  Socket socket;
  boost::beast::flat_buffer buffer;
  /// Our direction has been ended by ourselves: a hang-up seen after this says nothing about the peer.
  bool write_ended = false;
};

/// A connection after an upgrade.
class WireStream : public ByteStream {
 public:
  explicit WireStream(std::shared_ptr<Wire> wire) : wire_(std::move(wire)) {}
  ~WireStream() override { wire_->shutdown_both(); }
  task<std::size_t> read_some(std::span<char> out) override;
  task<> write(std::string data) override;
  void shutdown_write() override { wire_->shutdown_write(); }
  void close() override { wire_->shutdown_both(); }

 private:
  std::shared_ptr<Wire> wire_;
};

}  // namespace gantry::http
