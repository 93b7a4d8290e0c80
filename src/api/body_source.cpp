#include "body_source.h"

#include <sys/socket.h>

#include <cerrno>

#include "gantry/base/error.h"
#include "gantry/base/fd.h"

namespace gantry::api {
namespace {

constexpr std::size_t kPiece = 256u << 10;

void send_all(int fd, std::string_view data) {
  while (!data.empty()) {
    ssize_t n = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) throw Error(ErrorKind::cancelled, "the client has gone");
    if (n < 0) throw_errno("hand data on to the client");
    data.remove_prefix(static_cast<std::size_t>(n));
  }
}

/// Small writes (headers of a tar) are gathered.
class Writer {
 public:
  explicit Writer(int fd) : fd_(fd) {}
  void write(std::string_view data) {
    if (data.size() >= kPiece) return flush(), send_all(fd_, data);
    held_.append(data);
    if (held_.size() >= kPiece) flush();
  }
  void flush() {
    send_all(fd_, held_);
    held_.clear();
  }

 private:
  int fd_;
  std::string held_;
};

using Socket = asio::local::stream_protocol::socket;

task<> forward(http::Exchange* exchange, std::shared_ptr<Socket> from, std::string content_type) {
  std::string buffer(kPiece, '\0');
  for (;;) {
    boost::system::error_code failed;
    auto count =
        co_await from->async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, failed));
    if (failed == asio::error::operation_aborted) throw Error(ErrorKind::cancelled, "cancelled");
    if (failed || count == 0) co_return;
    if (!exchange->answered()) co_await exchange->start_stream(200, content_type);
    co_await exchange->write(buffer.substr(0, count));
  }
}

// The producer must see that nobody reads any more, or it would wait for ever.
task<> forward_and_close(http::Exchange* exchange, std::shared_ptr<Socket> from, std::string content_type,
                         std::exception_ptr* failure) {
  try {
    co_await forward(exchange, from, std::move(content_type));
  } catch (...) {
    *failure = std::current_exception();
  }
  boost::system::error_code ignored;
  from->close(ignored);
}

}  // namespace

task<> stream_out(http::Exchange& exchange, TransferLimit& transfers, std::string content_type,
                  std::function<void(const ByteSink&)> produce) {
  using namespace asio::experimental::awaitable_operators;
  Transfer transfer(transfers);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw_errno("make a socket pair");
  auto writer = std::make_shared<Fd>(ends[1]);
  auto reader = std::make_shared<Socket>(co_await asio::this_coro::executor);
  reader->assign(asio::local::stream_protocol(), ends[0]);
  auto work = [writer, produce = std::move(produce)] {
    struct Closer {
      Fd& fd;
      ~Closer() { fd.reset(); }
    } closer{*writer};
    Writer out(writer->get());
    produce([&out](std::string_view piece) { out.write(piece); });
    out.flush();
  };
  gantry::detail::Outcome<void> outcome;
  std::exception_ptr cut_off;
  co_await (gantry::detail::settle<void>(transfer.run(std::move(work)), &outcome) &&
            forward_and_close(&exchange, reader, content_type, &cut_off));
  if (outcome.failure && to_error(outcome.failure).kind() != ErrorKind::cancelled)
    std::rethrow_exception(outcome.failure);
  if (cut_off) std::rethrow_exception(cut_off);
  if (outcome.failure) std::rethrow_exception(outcome.failure);
  if (!exchange.answered()) co_await exchange.start_stream(200, content_type);
}

}  // namespace gantry::api
