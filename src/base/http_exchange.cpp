#include <boost/beast/http/status.hpp>

#include <fmt/format.h>
#include <strings.h>

#include "gantry/base/json.h"
#include "http_connection.h"

namespace gantry::http {
namespace {

namespace bh = boost::beast::http;
using boost::system::error_code;

std::string status_line(int status) {
  auto reason = bh::obsolete_reason(static_cast<bh::status>(status));
  return fmt::format("HTTP/1.1 {} {}\r\n", status, std::string_view(reason));
}

/// A client that has gone is not a failure of the handler: its task simply ends.
[[noreturn]] void gone(const Error& error) {
  if (error.kind() == ErrorKind::unavailable) throw Error(ErrorKind::cancelled, "the client has gone");
  throw error;
}

bool lists_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    auto comma = std::min(list.find(','), list.size());
    auto item = list.substr(0, comma);
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    if (item.size() == token.size() && ::strncasecmp(item.data(), token.data(), token.size()) == 0) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

}  // namespace

ServerExchange::ServerExchange(std::shared_ptr<Wire> wire, RequestParser& parser, Request request,
                               const ServerLimits& limits)
    : wire_(std::move(wire)),
      parser_(parser),
      request_(std::move(request)),
      limits_(limits),
      chunked_(parser.get().version() >= 11),
      continue_wanted_(lists_token(request_.headers.get("Expect"), "100-continue")) {}

task<std::size_t> ServerExchange::read_body_some(std::span<char> out) {
  if (continue_wanted_ && !body_read() && answer_ == Answer::none) {
    continue_wanted_ = false;
    co_await wire_->write_all("HTTP/1.1 100 Continue\r\n\r\n", limits_.write_timeout);
  }
  while (!body_read()) {
    if (wire_->buffer.size() == 0) {
      auto count = co_await wire_->fill(kReadSize, deadline_in(limits_.body_timeout));
      if (count == 0) throw Error(ErrorKind::cancelled, "the client closed the connection in the middle of the body");
    }
    auto& body = parser_.get().body();
    body.data = out.data();
    body.size = out.size();
    error_code failed;
    wire_->buffer.consume(parser_.put(wire_->buffer.cdata(), failed));
    auto got = out.size() - body.size;
    if (failed == bh::error::need_more && got == 0) {
      auto count = co_await wire_->fill(kReadSize, deadline_in(limits_.body_timeout));
      if (count == 0) throw Error(ErrorKind::cancelled, "the client closed the connection in the middle of the body");
    } else if (failed && failed != bh::error::need_more && failed != bh::error::need_buffer) {
      close_ = true;
      throw Error(ErrorKind::invalid, "malformed request body: " + failed.message());
    }
    if (got > 0) co_return got;
  }
  co_return 0;
}

task<std::string> ServerExchange::read_body(std::size_t limit) {
  StatusError too_large(413, ErrorKind::invalid, fmt::format("the request body is over the limit of {} bytes", limit));
  auto announced = parser_.content_length();
  if (announced && *announced > limit) throw too_large;
  std::string body;
  std::string piece(std::min<std::size_t>(kReadSize, limit + 1), '\0');
  while (auto count = co_await read_body_some(piece)) {
    if (body.size() + count > limit) throw too_large;
    body.append(piece, 0, count);
  }
  co_return body;
}

void ServerExchange::set_header(std::string name, std::string value) {
  if (value.find_first_of("\r\n") != std::string::npos)
    throw Error(ErrorKind::internal, "line break in the header field " + name);
  extra_head_ += name + ": " + value + "\r\n";
}

void ServerExchange::discard_buffered_body() {
  std::array<char, 4096> sink{};
  while (!body_read() && wire_->buffer.size() > 0) {
    parser_.get().body().data = sink.data();
    parser_.get().body().size = sink.size();
    error_code failed;
    auto used = parser_.put(wire_->buffer.cdata(), failed);
    wire_->buffer.consume(used);
    if (failed && failed != bh::error::need_buffer) return;
  }
}

std::string ServerExchange::head(int status, std::string_view more) {
  discard_buffered_body();
  // A body that is still on its way would be taken for the next request.
  if (!body_read() || !parser_.get().keep_alive()) close_ = true;
  auto text = status_line(status);
  if (!content_type_.empty()) text += "Content-Type: " + content_type_ + "\r\n";
  text += extra_head_;
  if (close_) text += "Connection: close\r\n";
  text += more;
  return text + "\r\n";
}

task<> ServerExchange::respond(int status, std::string content_type, std::string body) {
  if (answered()) throw Error(ErrorKind::internal, "a request was answered twice");
  content_type_ = std::move(content_type);
  bool bodiless = status == 204 || status == 304;
  auto text = head(status, bodiless ? std::string() : fmt::format("Content-Length: {}\r\n", body.size()));
  if (!bodiless && request_.method != "HEAD") text += body;
  answer_ = Answer::complete;
  try {
    co_await wire_->write_all(std::move(text), limits_.write_timeout);
  } catch (const Error& error) {
    gone(error);
  }
}

task<> ServerExchange::start_stream(int status, std::string content_type) {
  if (answered()) throw Error(ErrorKind::internal, "a request was answered twice");
  content_type_ = std::move(content_type);
  if (!chunked_) close_ = true;  // HTTP/1.0: the end of the connection is the end of the body
  co_await send_head(head(status, chunked_ ? "Transfer-Encoding: chunked\r\n" : ""));
}

task<> ServerExchange::start_body(int status, std::string content_type, std::uint64_t length) {
  if (answered()) throw Error(ErrorKind::internal, "a request was answered twice");
  content_type_ = std::move(content_type);
  chunked_ = false;
  left_ = length;
  co_await send_head(head(status, fmt::format("Content-Length: {}\r\n", length)));
}

task<> ServerExchange::send_head(std::string text) {
  answer_ = Answer::streaming;
  try {
    co_await wire_->write_all(std::move(text), limits_.write_timeout);
  } catch (const Error& error) {
    gone(error);
  }
}

task<> ServerExchange::write(std::string data) {
  if (answer_ != Answer::streaming) throw Error(ErrorKind::internal, "write without start_stream");
  if (data.empty() || request_.method == "HEAD") co_return;  // an empty chunk would be the last one
  count(data.size());
  if (chunked_) {
    data.insert(0, fmt::format("{:x}\r\n", data.size()));
    data += "\r\n";
  }
  try {
    co_await wire_->write_all(std::move(data), limits_.write_timeout);
  } catch (const Error& error) {
    gone(error);
  }
}

task<> ServerExchange::write_file(std::shared_ptr<const Fd> file, std::uint64_t at, std::uint64_t size,
                                  WorkerPool& pool) {
  if (answer_ != Answer::streaming || !left_) throw Error(ErrorKind::internal, "write_file without start_body");
  if (request_.method == "HEAD") co_return;
  count(size);
  try {
    co_await wire_->send_file(std::move(file), at, size, pool, limits_.write_timeout);
  } catch (const Error& error) {
    gone(error);
  }
}

void ServerExchange::count(std::uint64_t size) {
  if (!left_) return;
  if (size > *left_) throw Error(ErrorKind::internal, "more was written than the answer's length");
  *left_ -= size;
}

task<> ServerExchange::end_stream() {
  if (request_.method == "HEAD") co_return;
  if (left_.value_or(0) > 0) throw Error(ErrorKind::unavailable, "the answer ended before its length");
  if (chunked_) co_await wire_->write_all("0\r\n\r\n", limits_.write_timeout);
}

bool ServerExchange::wants_upgrade(std::string_view protocol) const {
  return lists_token(request_.headers.get("Connection"), "upgrade") &&
         lists_token(request_.headers.get("Upgrade"), protocol);
}

void ServerExchange::require_upgrade(std::string_view protocol) {
  if (wants_upgrade(protocol)) return;
  set_header("Upgrade", std::string(protocol));
  throw StatusError(426, ErrorKind::invalid, request_.target.path + " needs an upgraded connection",
                    "send 'Connection: Upgrade' and 'Upgrade: " + std::string(protocol) + "'");
}

task<std::shared_ptr<ByteStream>> ServerExchange::upgrade(std::string protocol, std::string content_type) {
  require_upgrade(protocol);
  auto text = status_line(101) + "Connection: Upgrade\r\nUpgrade: " + protocol + "\r\n";
  co_return co_await leave_http(std::move(text), std::move(content_type));
}

task<std::shared_ptr<ByteStream>> ServerExchange::hijack(std::string content_type) {
  std::string text =
      wants_upgrade("tcp") ? status_line(101) + "Connection: Upgrade\r\nUpgrade: tcp\r\n" : status_line(200);
  co_return co_await leave_http(std::move(text), std::move(content_type));
}

task<std::shared_ptr<ByteStream>> ServerExchange::leave_http(std::string text, std::string content_type) {
  if (answered()) throw Error(ErrorKind::internal, "a request was answered twice");
  if (!body_read()) discard_buffered_body();
  if (!body_read()) throw Error(ErrorKind::invalid, "the body must have been sent before the connection is upgraded");
  if (!content_type.empty()) text += "Content-Type: " + content_type + "\r\n";
  text += extra_head_ + "\r\n";
  answer_ = Answer::upgraded;
  close_ = true;
  try {
    co_await wire_->write_all(std::move(text), limits_.write_timeout);
  } catch (const Error& error) {
    gone(error);
  }
  co_return std::make_shared<WireStream>(wire_);
}

bool ServerExchange::keeps_alive() const { return !close_ && body_read(); }

std::string closing_answer(int status, const Error& error) {
  auto body = error_body(error);
  // Whatever API the client speaks: what it said did not get as far as one.
  body.insert(1, "\"message\":" + json::to_text(error.message()) + ",");
  return status_line(status) +
         fmt::format("Content-Type: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", kJson, body.size()) + body;
}

}  // namespace gantry::http
