#include "http_wire.h"

#include <fcntl.h>
#include <sys/sendfile.h>

#include <cerrno>
#include <cstring>

namespace gantry::http {
namespace {

using boost::system::error_code;

/// Cancels the socket's pending operations when the deadline passes while this lives. The timer's handler may still be
/// queued when the guard dies, so what it touches is shared.
class Watch {
 public:
  Watch(Socket& socket, Deadline deadline) : timer_(socket.get_executor()) {
    if (deadline == kNoDeadline) return;
    shared_ = std::make_shared<Shared>(Shared{&socket});
    timer_.expires_at(deadline);
    timer_.async_wait([shared = shared_](error_code stopped) {
      if (stopped || shared->socket == nullptr) return;
      shared->expired = true;
      error_code ignored;
      shared->socket->cancel(ignored);
    });
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() {
    if (shared_) shared_->socket = nullptr;
  }
  bool expired() const { return shared_ && shared_->expired; }

 private:
  struct Shared {
    Socket* socket = nullptr;
    bool expired = false;
  };
  asio::steady_timer timer_;
  std::shared_ptr<Shared> shared_;
};

[[noreturn]] void fail(error_code code) {
  if (code == asio::error::operation_aborted) throw Error(ErrorKind::cancelled, "cancelled");
  throw Error(ErrorKind::unavailable, "the other end closed the connection");
}

// Small enough that others get their turn of the pool.
constexpr std::uint64_t kFilePiece = 1u << 20;

Fd duplicate(int fd) {
  int out = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (out < 0) throw_errno("duplicate a connection");
  return Fd(out);
}

// 0: the connection takes nothing at the moment. SIGPIPE is for the process to have ignored.
std::uint64_t send_piece(const Fd& to, const Fd& file, std::uint64_t at, std::uint64_t size) {
  auto offset = static_cast<off_t>(at);
  ssize_t sent;
  do sent = ::sendfile(to.get(), file.get(), &offset, size);
  while (sent < 0 && errno == EINTR);
  if (sent == 0) throw Error(ErrorKind::internal, "a file is shorter than it was", "see 'gantry image verify'");
  if (sent > 0) return static_cast<std::uint64_t>(sent);
  if (errno == EAGAIN) return 0;
  for (int gone : {EPIPE, ECONNRESET, ETIMEDOUT, EHOSTUNREACH})
    if (errno == gone) throw Error(ErrorKind::unavailable, "the other end closed the connection");
  throw_errno("send a file");
}

}  // namespace

task<std::size_t> Wire::fill(std::size_t at_most, Deadline deadline) {
  Watch watch(socket, deadline);
  error_code failed;
  auto space = buffer.prepare(at_most);
  auto count = co_await socket.async_read_some(space, asio::redirect_error(asio::use_awaitable, failed));
  buffer.commit(count);
  if (failed == asio::error::eof || failed == asio::error::connection_reset) co_return 0;
  if (failed && watch.expired()) throw Error(ErrorKind::timeout, "no data within the time allowed");
  if (failed) fail(failed);
  co_return count;
}

task<> Wire::write_all(std::string data, std::chrono::seconds stall) {
  std::size_t done = 0;
  while (done < data.size()) {
    Watch watch(socket, stall.count() > 0 ? deadline_in(stall) : kNoDeadline);
    error_code failed;
    auto rest = asio::buffer(data.data() + done, data.size() - done);
    done += co_await socket.async_write_some(rest, asio::redirect_error(asio::use_awaitable, failed));
    if (failed && watch.expired()) throw Error(ErrorKind::timeout, "the other end takes no data");
    if (failed) fail(failed);
  }
}

task<> Wire::send_file(std::shared_ptr<const Fd> file, std::uint64_t at, std::uint64_t size, WorkerPool& pool,
                       std::chrono::seconds stall) {
  // A thread may still be sending when this has been cancelled and the socket closed.
  auto to = std::make_shared<const Fd>(duplicate(socket.native_handle()));
  socket.native_non_blocking(true);
  while (size > 0) {
    auto send = [file, to, at, piece = std::min(size, kFilePiece)] { return send_piece(*to, *file, at, piece); };
    auto sent = co_await pool.run(std::move(send));
    at += sent;
    size -= sent;
    if (sent > 0) continue;
    Watch watch(socket, stall.count() > 0 ? deadline_in(stall) : kNoDeadline);
    error_code failed;
    co_await socket.async_wait(Socket::wait_write, asio::redirect_error(asio::use_awaitable, failed));
    if (failed && watch.expired()) throw Error(ErrorKind::timeout, "the other end takes no data");
    if (failed) fail(failed);
  }
}

std::size_t Wire::take(char* out, std::size_t size) {
  size = std::min(size, buffer.size());
  std::memcpy(out, buffer.data().data(), size);
  buffer.consume(size);
  return size;
}

void Wire::shutdown_write() {
  error_code ignored;
  write_ended = true;
  socket.shutdown(Socket::shutdown_send, ignored);
}

void Wire::shutdown_both() {
  error_code ignored;
  write_ended = true;
  socket.shutdown(Socket::shutdown_both, ignored);
}

task<std::size_t> WireStream::read_some(std::span<char> out) {
  if (wire_->buffer.size() > 0) co_return wire_->take(out.data(), out.size());
  error_code failed;
  auto space = asio::buffer(out.data(), out.size());
  auto count = co_await wire_->socket.async_read_some(space, asio::redirect_error(asio::use_awaitable, failed));
  if (failed == asio::error::eof) co_return 0;
  if (failed) fail(failed);
  co_return count;
}

task<> WireStream::write(std::string data) { return wire_->write_all(std::move(data), std::chrono::seconds(0)); }

}  // namespace gantry::http
