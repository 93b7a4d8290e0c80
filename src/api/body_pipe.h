#pragma once

#include "gantry/base/async.h"
#include "gantry/base/fd.h"
#include "gantry/base/http_server.h"
#include "gantry/base/transfer.h"

/// Request bodies for code that reads a descriptor and blocks.
namespace gantry::api {

/// One end is read by a blocking reader on its own thread, the other is fed here. Unless `finish` was called, the
/// reader does not see an end of file but ECONNRESET: a body that was cut off can never be taken for a short one.
class BodyPipe {
 public:
  explicit BodyPipe(asio::any_io_executor executor);
  int reader() const { return reader_.get(); }
  Fd take_reader() { return std::move(reader_); }
  /// Thread-safe with respect to the feeding side, which sees false from `feed` afterwards.
  void close_reader() { reader_.reset(); }
  /// False when the reader has gone.
  task<bool> feed(std::string data);
  void finish();
  /// Breaks the pipe for the reader.
  void abort();

 private:
  asio::local::stream_protocol::socket feeder_;
  Fd reader_;
};

namespace detail {
/// Feeds the whole body; what the reader does not want is read and dropped, so that the client is not held up.
task<> feed_body(http::Exchange* exchange, std::shared_ptr<BodyPipe> pipe, std::exception_ptr* failure);
}  // namespace detail

/// Runs `function(int fd)` on a thread of its own with the request's body behind `fd`, and gives its result.
template <class F>
task<std::invoke_result_t<F, int>> with_body(http::Exchange& exchange, TransferLimit& transfers, F function) {
  using namespace asio::experimental::awaitable_operators;
  using R = std::invoke_result_t<F, int>;
  Transfer transfer(transfers);
  auto pipe = std::make_shared<BodyPipe>(co_await asio::this_coro::executor);
  auto read = [pipe, function = std::move(function)]() mutable {
    struct Closer {
      BodyPipe* pipe;
      ~Closer() { pipe->close_reader(); }
    } closer{pipe.get()};
    return function(pipe->reader());
  };
  gantry::detail::Outcome<R> outcome;
  std::exception_ptr cut_off;
  co_await (gantry::detail::settle<R>(transfer.run(std::move(read)), &outcome) &&
            detail::feed_body(&exchange, pipe, &cut_off));
  if (cut_off) std::rethrow_exception(cut_off);
  if (outcome.failure) std::rethrow_exception(outcome.failure);
  co_return std::move(*outcome.value);
}

/// The same for what awaits: `work` gets the readable end and is the only one to hold it; it lets go when it has ended.
task<> with_body_task(http::Exchange& exchange, std::function<task<>(std::shared_ptr<Fd>)> work);

}  // namespace gantry::api
