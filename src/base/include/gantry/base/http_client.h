#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gantry/base/async.h"
#include "gantry/base/http_message.h"
#include "gantry/base/http_stream.h"

/// An HTTP/1.1 client over a unix socket; one connection a request. Cancelling the task closes the connection, which
/// is how the server learns that nobody waits any more.
namespace gantry::http {

/// Gives the next piece of a request body; an empty string ends it.
using BodyProducer = std::function<task<std::string>()>;

struct ClientRequest {
  std::string method = "GET";
  /// Path without query; segments already encoded (encode_segment).
  std::string path = "/";
  Query query;
  Headers headers;
  /// Sent as it is with `content_type`; nothing is sent when unset and there is no producer.
  std::optional<std::string> body;
  std::string content_type = std::string(kJson);
};

/// A request as a function's result: g++ 12 destroys a braced temporary inside a co_await expression twice.
ClientRequest make_request(std::string method, std::string path);
ClientRequest make_request(std::string method, std::string path, std::string json_body);

/// An answer whose body is read as it arrives. Destroying it closes the connection.
class Response {
 public:
  struct Impl;
  explicit Response(std::unique_ptr<Impl> impl);
  Response(Response&&) noexcept;
  Response& operator=(Response&&) noexcept;
  ~Response();

  int status() const;
  const Headers& headers() const;
  /// The next piece as it comes off the wire; empty at the end. A connection lost before the end is an Error
  /// (unavailable).
  task<std::string> read_some();
  /// The next line without its end; nullopt at the end. The error shape as a line is thrown as the Error it means.
  task<std::optional<std::string>> read_line(std::size_t limit = 4u << 20);
  /// The rest; more than `limit` bytes is an Error (exhausted).
  task<std::string> read_all(std::size_t limit = 64u << 20);

 private:
  std::unique_ptr<Impl> impl_;
};

/// Every function throws Error: `unavailable` when the daemon cannot be reached, and for an answer of status 400 and
/// above the Error that the daemon sent.
class Client {
 public:
  explicit Client(std::filesystem::path socket) : socket_(std::move(socket)) {}
  const std::filesystem::path& socket() const { return socket_; }

  /// The whole body of the answer.
  task<std::string> call(ClientRequest request) const;
  /// The answer as it arrives (NDJSON, logs, archives).
  task<Response> open(ClientRequest request) const;
  /// Sends a body of unknown length from `producer` (chunked), then as `open`. The daemon's refusal arrives before
  /// the first byte of the body is sent (Expect: 100-continue).
  task<Response> upload(ClientRequest request, BodyProducer producer) const;
  /// Asks for `protocol` and gives the raw connection once the daemon has agreed. `headers`, when given, receives
  /// those of the answer (Content-Type says whether the stream is framed).
  task<std::unique_ptr<ByteStream>> upgrade(ClientRequest request, std::string protocol,
                                            Headers* headers = nullptr) const;

 private:
  std::filesystem::path socket_;
};

}  // namespace gantry::http
