#pragma once

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "gantry/base/http_server.h"
#include "http_wire.h"

/// Private to the server: one connection, and the request that is being handled on it.
namespace gantry::http {

using RequestParser = boost::beast::http::request_parser<boost::beast::http::buffer_body>;

/// How far the answer has come.
enum class Answer { none, complete, streaming, upgraded };

class ServerExchange : public Exchange {
 public:
  ServerExchange(std::shared_ptr<Wire> wire, RequestParser& parser, Request request, const ServerLimits& limits);

  const Request& request() const override { return request_; }
  task<std::string> read_body(std::size_t limit) override;
  task<std::size_t> read_body_some(std::span<char> buffer) override;
  void set_header(std::string name, std::string value) override;
  task<> respond(int status, std::string content_type, std::string body) override;
  task<> start_stream(int status, std::string content_type) override;
  task<> start_body(int status, std::string content_type, std::uint64_t length) override;
  task<> write(std::string data) override;
  task<> write_file(std::shared_ptr<const Fd> file, std::uint64_t at, std::uint64_t size, WorkerPool& pool) override;
  void require_upgrade(std::string_view protocol) override;
  task<std::shared_ptr<ByteStream>> upgrade(std::string protocol, std::string content_type) override;
  task<std::shared_ptr<ByteStream>> hijack(std::string content_type) override;
  bool answered() const override { return answer_ != Answer::none; }

  Answer answer() const { return answer_; }
  bool is_ndjson() const { return content_type_ == kNdjson; }
  /// The last chunk. Error (unavailable) when an answer of known length has not come to it.
  task<> end_stream();
  /// Whether another request may follow on this connection.
  bool keeps_alive() const;

 private:
  bool wants_upgrade(std::string_view protocol) const;
  task<> send_head(std::string text);
  void count(std::uint64_t size);
  task<std::shared_ptr<ByteStream>> leave_http(std::string head_text, std::string content_type);
  std::string head(int status, std::string_view more);
  /// Takes what is already here of a body nobody read, so that the connection can be kept.
  void discard_buffered_body();
  bool body_read() const { return parser_.is_done(); }

  std::shared_ptr<Wire> wire_;
  RequestParser& parser_;
  Request request_;
  const ServerLimits& limits_;
  std::string extra_head_;
  std::string content_type_;
  Answer answer_ = Answer::none;
  std::optional<std::uint64_t> left_;  ///< bytes of an answer of known length
  bool chunked_;
  bool continue_wanted_;
  bool close_ = false;
};

/// Serves one connection to its end.
task<> serve_connection(Socket socket, const Handler& handler, const ServerLimits& limits,
                        std::optional<std::string> certificate = std::nullopt);

/// A complete answer with the error shape that ends the connection.
std::string closing_answer(int status, const Error& error);

}  // namespace gantry::http
