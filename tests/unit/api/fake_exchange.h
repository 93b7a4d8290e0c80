#pragma once

#include <gtest/gtest.h>

#include <cstring>

#include "../error_of.h"
#include "gantry/base/http_server.h"

namespace gantry::api {

/// A request from nowhere that remembers its answer.
class FakeExchange : public http::Exchange {
 public:
  FakeExchange(std::string method, std::string_view target, std::string body = {}) : body_(std::move(body)) {
    request_.method = std::move(method);
    request_.target = http::parse_target(target);
    request_.peer.uid = 1000;
    request_.peer.pid = 42;
  }

  http::Request& change() { return request_; }
  const http::Request& request() const override { return request_; }
  task<std::string> read_body(std::size_t) override { co_return body_; }
  task<std::size_t> read_body_some(std::span<char> buffer) override {
    if (body_.empty() && cut_off) throw Error(ErrorKind::cancelled, "the client has gone");
    auto size = std::min(buffer.size(), body_.size());
    std::memcpy(buffer.data(), body_.data(), size);
    body_.erase(0, size);
    co_return size;
  }
  void set_header(std::string, std::string) override {}
  task<> respond(int code, std::string type, std::string body) override {
    co_await start_stream(code, std::move(type));
    answer += body;
  }
  task<> start_stream(int code, std::string type) override {
    status = code;
    content_type = std::move(type);
    co_return;
  }
  task<> start_body(int code, std::string type, std::uint64_t) override {
    co_await start_stream(code, std::move(type));
  }
  task<> write(std::string data) override {
    answer += data;
    co_return;
  }
  task<> write_file(std::shared_ptr<const Fd>, std::uint64_t, std::uint64_t, WorkerPool&) override {
    throw Error(ErrorKind::internal, "no file is expected here");
    co_return;
  }
  void require_upgrade(std::string_view) override {}
  task<std::shared_ptr<http::ByteStream>> upgrade(std::string, std::string) override { co_return nullptr; }
  task<std::shared_ptr<http::ByteStream>> hijack(std::string) override { co_return nullptr; }
  bool answered() const override { return status != 0; }

  int status = 0;
  std::string content_type;
  std::string answer;
  bool cut_off = false;  ///< the body ends with the client's going away

 private:
  http::Request request_;
  std::string body_;
};

/// Runs a task to its end and gives its result or exception; a hang fails.
template <class T>
T run(asio::io_context& context, task<T> work) {
  auto future = asio::co_spawn(context, std::move(work), asio::use_future);
  context.restart();
  context.run_for(std::chrono::seconds(10));
  if (future.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
    throw Error(ErrorKind::timeout, "the test hangs");
  return future.get();
}

}  // namespace gantry::api
