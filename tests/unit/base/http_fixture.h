#pragma once

#include <gtest/gtest.h>

#include "gantry/base/files.h"
#include "gantry/base/http_client.h"
#include "gantry/base/http_server.h"

namespace gantry::http {

using namespace std::chrono_literals;

/// A server and its clients on one thread, over a socket in a directory of their own.
class HttpFixture : public ::testing::Test {
 protected:
  void serve(Handler handler, ServerLimits limits = {}) {
    server_.emplace(context_.get_executor(), std::move(handler), limits);
    server_->listen({.path = socket_path()});
  }

  std::filesystem::path socket_path() const { return directory_.path() / "s"; }
  Client client() const { return Client(socket_path()); }

  /// Runs `work` to its end, then closes the server. A hang is a failure after ten seconds.
  void run(task<> work) {
    auto done = asio::co_spawn(context_, finish(this, std::move(work)), asio::use_future);
    context_.restart();
    context_.run_for(20s);
    ASSERT_EQ(done.wait_for(0s), std::future_status::ready) << "the test hangs";
    done.get();
  }

  asio::io_context context_;
  TemporaryDirectory directory_{std::filesystem::temp_directory_path(), "gantry-http-"};
  std::optional<Server> server_;

 private:
  static task<> finish(HttpFixture* self, task<> work) {
    std::exception_ptr failure;
    try {
      co_await with_timeout<void>("the test", 10s, std::move(work));
    } catch (...) {
      failure = std::current_exception();
    }
    if (self->server_) co_await self->server_->close();
    if (failure) std::rethrow_exception(failure);
  }
};

/// A connection that says exactly what the test wants.
class RawClient {
 public:
  explicit RawClient(asio::io_context& context, const std::filesystem::path& path) : socket_(context) {
    socket_.connect(asio::local::stream_protocol::endpoint(path.string()));
  }
  task<> send(std::string text) { co_await asio::async_write(socket_, asio::buffer(text), asio::use_awaitable); }
  /// Everything until the server closes, or until `marker` has come.
  task<std::string> receive(std::string marker = {}) {
    boost::system::error_code failed;
    while (!failed && (marker.empty() || received_.find(marker) == std::string::npos))
      co_await asio::async_read(socket_, asio::dynamic_buffer(received_), asio::transfer_at_least(1),
                                asio::redirect_error(asio::use_awaitable, failed));
    auto out = std::move(received_);
    received_.clear();
    co_return out;
  }
  void close() { socket_.close(); }
  void end_writing() { socket_.shutdown(asio::local::stream_protocol::socket::shutdown_send); }

 private:
  asio::local::stream_protocol::socket socket_;
  std::string received_;
};

}  // namespace gantry::http
