// What a client sends before and around any handler: heads, bodies of every framing, pipelining, upgrades. Whatever
// comes is answered or ends the connection; it never throws out of it, never hangs, and an answer begins as one.
#include <cstdlib>

#include "http_connection.h"

namespace {

using namespace gantry;

void require(bool holds) {
  if (!holds) std::abort();
}

/// Each way a handler can answer, by the path.
task<> handle(http::Exchange& exchange) {
  const auto& path = exchange.request().target.path;
  if (path == "/body") {
    auto body = co_await exchange.read_body(1000);
    co_await exchange.respond(200, "text/plain", std::move(body));
  } else if (path == "/pieces") {
    std::string buffer(7, ' ');
    co_await exchange.start_stream(200, "text/plain");
    while (auto size = co_await exchange.read_body_some(buffer)) co_await exchange.write(buffer.substr(0, size));
  } else if (path == "/raw") {
    auto client = co_await exchange.hijack("application/vnd.docker.raw-stream");
    std::string buffer(16, ' ');
    while (auto size = co_await client->read_some(buffer)) co_await client->write(buffer.substr(0, size));
  } else if (path == "/socket") {
    auto client = co_await exchange.upgrade("websocket", "");
    client->close();
  } else if (path == "/throws") {
    throw Error(ErrorKind::conflict, "no");
  } else {
    co_await exchange.respond(200, "text/plain", "OK");
  }
}

std::string answer_to(std::string_view text) {
  asio::io_context context(1);
  asio::local::stream_protocol::socket server(context), client(context);
  asio::local::connect_pair(server, client);
  http::ServerLimits limits;
  limits.head = 4096;
  limits.head_timeout = limits.idle_timeout = limits.body_timeout = limits.write_timeout = std::chrono::seconds(2);
  http::Handler handler = handle;
  asio::co_spawn(context, http::serve_connection(std::move(server), handler, limits),
                 [](std::exception_ptr failure) { require(!failure || is_cancellation(failure)); });
  std::string got;
  auto talk = [&]() -> task<> {
    boost::system::error_code failed;
    auto ignore = asio::redirect_error(asio::use_awaitable, failed);
    co_await asio::async_write(client, asio::buffer(text), ignore);
    client.shutdown(asio::socket_base::shutdown_send, failed);
    std::string buffer(4096, ' ');
    while (auto size = co_await client.async_read_some(asio::buffer(buffer), ignore)) got.append(buffer, 0, size);
  };
  asio::co_spawn(context, talk(), asio::detached);
  context.run();
  return got;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // What fits into the kernel's buffers, so that neither side waits for the other.
  if (size > 16384) return 0;
  auto answer = answer_to({reinterpret_cast<const char*>(data), size});
  require(answer.empty() || answer.starts_with("HTTP/1.1 "));
  return 0;
}
