#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "gantry/base/http_server.h"

namespace gantry {

/// A request from nowhere that remembers its answer.
class OneExchange : public http::Exchange {
 public:
  OneExchange(http::Request request, std::string body) : request_(std::move(request)), body_(std::move(body)) {}

  const http::Request& request() const override { return request_; }
  task<std::string> read_body(std::size_t limit) override {
    if (body_.size() > limit) throw http::StatusError(413, ErrorKind::invalid, "too long");
    co_return std::move(body_);
  }
  task<std::size_t> read_body_some(std::span<char> buffer) override {
    // In small pieces, as a slow client sends.
    auto size = std::min({buffer.size(), body_.size(), std::size_t{7}});
    std::memcpy(buffer.data(), body_.data(), size);
    body_.erase(0, size);
    co_return size;
  }
  void set_header(std::string name, std::string value) override { headers[std::move(name)] = std::move(value); }
  task<> respond(int code, std::string, std::string text) override {
    status = code;
    length = text.size();
    answer = std::move(text);
    co_return;
  }
  task<> start_stream(int code, std::string) override {
    status = code;
    co_return;
  }
  task<> start_body(int code, std::string, std::uint64_t size) override {
    status = code;
    length = size;
    co_return;
  }
  task<> write(std::string data) override {
    answer += data;
    co_return;
  }
  task<> write_file(std::shared_ptr<const Fd> file, std::uint64_t at, std::uint64_t size, WorkerPool&) override {
    std::string data(size, '\0');
    if (::pread(file->get(), data.data(), size, static_cast<off_t>(at)) != static_cast<ssize_t>(size))
      throw Error(ErrorKind::internal, "a file is shorter than it was");
    answer += data;
    co_return;
  }
  void require_upgrade(std::string_view) override {}
  task<std::shared_ptr<http::ByteStream>> upgrade(std::string, std::string) override { co_return nullptr; }
  task<std::shared_ptr<http::ByteStream>> hijack(std::string) override { co_return nullptr; }
  bool answered() const override { return status != 0; }

  int status = 0;
  std::uint64_t length = 0;
  std::string answer;
  std::map<std::string, std::string> headers;

 private:
  http::Request request_;
  std::string body_;
};

}  // namespace gantry
