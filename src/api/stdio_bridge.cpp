#include "stdio_bridge.h"

#include "gantry/base/log.h"

namespace gantry::api {
namespace {

using namespace asio::experimental::awaitable_operators;

task<> copy_output(std::shared_ptr<http::ByteStream> client, std::shared_ptr<StdioSession> program,
                   AttachOptions options) {
  while (auto chunk = co_await program->read()) {
    bool wanted = chunk->stream == StdStream::err ? options.err : options.out;
    if (chunk->data.empty() || !wanted) continue;
    auto data = options.framed ? http::frame(chunk->stream, chunk->data) : std::move(chunk->data);
    co_await client->write(std::move(data));
  }
  if (options.before_end) co_await options.before_end();
  client->shutdown_write();
}

/// True when the client detaches.
task<bool> feed_input(std::shared_ptr<http::ByteStream> client, std::shared_ptr<StdioSession> program,
                      AttachOptions options) {
  std::string buffer(32u << 10, '\0');
  while (auto count = co_await client->read_some(buffer)) {
    if (!options.in) continue;
    auto typed = buffer.substr(0, count);
    if (options.typed) {
      auto rest = options.typed(typed);
      if (!rest) co_return true;
      typed = std::move(*rest);
    }
    if (!typed.empty()) co_await program->write(std::move(typed));
  }
  if (options.in && options.close_input) co_await program->close_input();
  co_return false;
}

/// Ends only when the client detaches: a program that no longer reads is none of the output's business.
task<> copy_input(std::shared_ptr<http::ByteStream> client, std::shared_ptr<StdioSession> program,
                  AttachOptions options) {
  gantry::detail::Outcome<bool> outcome;
  co_await gantry::detail::settle<bool>(feed_input(client, program, options), &outcome);
  if (outcome.value && *outcome.value) co_return;
  if (outcome.failure && !is_cancellation(outcome.failure))
    log::debug("standard input of a program: {}", to_error(outcome.failure).message());
  auto executor = co_await asio::this_coro::executor;
  Event never(executor);
  co_await never.wait();
}

task<> send_last(std::shared_ptr<http::ByteStream> client, std::function<task<std::string>()> last) {
  auto bytes = co_await last();
  co_await client->write(std::move(bytes));
}

}  // namespace

task<bool> connect(std::shared_ptr<http::ByteStream> client, std::shared_ptr<StdioSession> program,
                   AttachOptions options) {
  gantry::detail::Outcome<void> outcome;
  auto output = gantry::detail::settle<void>(copy_output(client, program, options), &outcome);
  auto first = co_await (std::move(output) || copy_input(client, program, options));
  if (first.index() == 1) co_return true;  // the output was cut off for it
  if (outcome.failure) std::rethrow_exception(outcome.failure);
  co_return false;
}

task<> bridge(std::shared_ptr<http::ByteStream> client, std::shared_ptr<StdioSession> program, bool framed,
              std::function<task<std::string>()> last) {
  AttachOptions options{.in = true, .out = true, .err = true, .framed = framed};
  if (last) options.before_end = [client, last = std::move(last)] { return send_last(client, last); };
  co_await connect(client, program, std::move(options));
}

}  // namespace gantry::api
