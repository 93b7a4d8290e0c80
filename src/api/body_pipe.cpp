#include "body_pipe.h"

#include <sys/socket.h>

namespace gantry::api {

using boost::system::error_code;

// A unix socket that is closed with unread data in it resets the other end (unix_release_sock in the kernel's
// af_unix.c). So one byte is sent the wrong way at the start, and only `finish` takes it out.
BodyPipe::BodyPipe(asio::any_io_executor executor) : feeder_(std::move(executor)) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw_errno("make a socket pair");
  reader_ = Fd(ends[1]);
  feeder_.assign(asio::local::stream_protocol(), ends[0]);
  write_all(reader_.get(), "!", "mark a socket pair");
}

task<bool> BodyPipe::feed(std::string data) {
  error_code failed;
  co_await asio::async_write(feeder_, asio::buffer(data), asio::redirect_error(asio::use_awaitable, failed));
  if (failed == asio::error::operation_aborted) throw Error(ErrorKind::cancelled, "cancelled");
  co_return !failed;
}

void BodyPipe::finish() {
  char mark = 0;
  error_code ignored;
  feeder_.read_some(asio::buffer(&mark, 1), ignored);
  feeder_.close(ignored);
}

void BodyPipe::abort() {
  error_code ignored;
  feeder_.close(ignored);
}

task<> detail::feed_body(http::Exchange* exchange, std::shared_ptr<BodyPipe> pipe, std::exception_ptr* failure) {
  try {
    std::string buffer(64u << 10, '\0');
    bool wanted = true;
    while (auto count = co_await exchange->read_body_some(buffer))
      if (wanted) wanted = co_await pipe->feed(buffer.substr(0, count));
    pipe->finish();
  } catch (...) {
    *failure = std::current_exception();
    pipe->abort();
  }
}

task<> with_body_task(http::Exchange& exchange, std::function<task<>(std::shared_ptr<Fd>)> work) {
  using namespace asio::experimental::awaitable_operators;
  auto pipe = std::make_shared<BodyPipe>(co_await asio::this_coro::executor);
  // Nobody else holds it: whoever reads it, perhaps on another thread still, is the last to let go.
  auto reading = work(std::make_shared<Fd>(pipe->take_reader()));
  gantry::detail::Outcome<void> outcome;
  std::exception_ptr cut_off;
  co_await (gantry::detail::settle<void>(std::move(reading), &outcome) && detail::feed_body(&exchange, pipe, &cut_off));
  if (cut_off) std::rethrow_exception(cut_off);
  if (outcome.failure) std::rethrow_exception(outcome.failure);
}

}  // namespace gantry::api
