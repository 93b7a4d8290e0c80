#include "stdio_bridge.h"

#include "gantry/base/log.h"

namespace gantry::api {
namespace {

task<> copy_output(std::shared_ptr<http::ByteStream> client, std::shared_ptr<StdioSession> program, bool framed,
                   std::function<task<std::string>()> last) {
  while (auto chunk = co_await program->read()) {
    if (chunk->data.empty()) continue;
    auto data = framed ? http::frame(chunk->stream, chunk->data) : std::move(chunk->data);
    co_await client->write(std::move(data));
  }
  if (last) {
    auto bytes = co_await last();
    co_await client->write(std::move(bytes));
  }
  client->shutdown_write();
}

task<> feed_input(std::shared_ptr<http::ByteStream> client, std::shared_ptr<StdioSession> program) {
  std::string buffer(32u << 10, '\0');
  while (auto count = co_await client->read_some(buffer)) co_await program->write(buffer.substr(0, count));
  co_await program->close_input();
}

/// A program that no longer reads is none of the output's business; this never ends by itself.
task<> copy_input(std::shared_ptr<http::ByteStream> client, std::shared_ptr<StdioSession> program) {
  gantry::detail::Outcome<void> outcome;
  co_await gantry::detail::settle<void>(feed_input(client, program), &outcome);
  if (outcome.failure && !is_cancellation(outcome.failure))
    log::debug("standard input of a program: {}", to_error(outcome.failure).message());
  auto executor = co_await asio::this_coro::executor;
  Event never(executor);
  co_await never.wait();
}

}  // namespace

task<> bridge(std::shared_ptr<http::ByteStream> client, std::shared_ptr<StdioSession> program, bool framed,
              std::function<task<std::string>()> last) {
  using namespace asio::experimental::awaitable_operators;
  gantry::detail::Outcome<void> outcome;
  auto output = gantry::detail::settle<void>(copy_output(client, program, framed, std::move(last)), &outcome);
  co_await (std::move(output) || copy_input(client, program));
  if (outcome.failure) std::rethrow_exception(outcome.failure);
}

}  // namespace gantry::api
