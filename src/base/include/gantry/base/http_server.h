#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/base/fd.h"
#include "gantry/base/http_message.h"
#include "gantry/base/http_stream.h"

/// An HTTP/1.1 server: one coroutine per connection, all of them in one Scope on the given executor's thread.
namespace gantry::http {

/// Who is at the other end of a unix socket (SO_PEERCRED, SO_PEERGROUPS): the process that connected, as it was then.
/// Over TCP: nobody.
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  ///< supplementary
  /// Over TLS: the common name of the client's certificate; the rest is then the daemon's own.
  std::optional<std::string> certificate;
};

struct Request {
  std::string method;
  Target target;
  Headers headers;
  Peer peer;
};

/// One request and its answer. The handler answers exactly once: `respond`, or `start_stream` or `start_body` and
/// `write`, or `upgrade` or `hijack`. A handler that throws before it has answered is answered for with the error
/// shape; one that throws in the middle of an NDJSON stream gets the error shape as the last line; any other broken
/// stream ends the connection without its last chunk, so that the client notices.
///
/// When the client closes its connection the handler's task is cancelled at its next suspension.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const Request& request() const = 0;

  /// The whole body. More than `limit` bytes is an Error (invalid) that is answered with 413.
  virtual task<std::string> read_body(std::size_t limit) = 0;
  /// The next piece of the body into `buffer`; 0 at its end. Sends "100 Continue" first when the client waits for it.
  virtual task<std::size_t> read_body_some(std::span<char> buffer) = 0;

  /// Adds a field to the answer's head; before the answer has begun.
  virtual void set_header(std::string name, std::string value) = 0;
  virtual task<> respond(int status, std::string content_type, std::string body) = 0;
  /// Begins an answer of unknown length. Its end is the handler's return.
  virtual task<> start_stream(int status, std::string content_type) = 0;
  /// Begins an answer of exactly `length` bytes, which `write` gives. Fewer end the connection, so that the client
  /// notices; more are an Error (internal).
  virtual task<> start_body(int status, std::string content_type, std::uint64_t length) = 0;
  /// One piece of the stream; returns when the kernel has taken it, so a slow reader slows the handler down.
  virtual task<> write(std::string data) = 0;
  /// So many bytes of a file from `at` on, from its cached pages to the client without a copy of ours: by threads of
  /// `pool`, since the disk may have to be waited for. Error (internal) when the file is shorter. Only after
  /// `start_body`.
  virtual task<> write_file(std::shared_ptr<const Fd> file, std::uint64_t at, std::uint64_t size, WorkerPool& pool) = 0;
  /// Throws what `upgrade` would throw when the client did not ask for `protocol`: for handlers that act first.
  virtual void require_upgrade(std::string_view protocol) = 0;
  /// Leaves HTTP: 101 with `protocol`; 426 as an Error when the client did not ask for an upgrade.
  virtual task<std::shared_ptr<ByteStream>> upgrade(std::string protocol, std::string content_type) = 0;
  /// Leaves HTTP, as the Docker Engine API has it: 101 where the client asks for an upgrade to "tcp", else 200, and the
  /// connection is raw from there on.
  virtual task<std::shared_ptr<ByteStream>> hijack(std::string content_type) = 0;
  /// True once the head of the answer has been sent.
  virtual bool answered() const = 0;
};

/// An Error with an HTTP status that no ErrorKind has: 405, 408, 413, 426, 431.
class StatusError : public Error {
 public:
  StatusError(int status, ErrorKind kind, std::string message, std::string fix = {})
      : Error(kind, std::move(message), std::move(fix)), status_(status) {}
  int status() const { return status_; }

 private:
  int status_;
};

using Handler = std::function<task<>(Exchange& exchange)>;

struct UnixEndpoint {
  std::filesystem::path path;
  unsigned mode = 0660;
  /// The owning group of the socket file; unset leaves the process's own.
  std::optional<gid_t> group;
};

/// TCP without encryption: for this machine itself, or for networks somebody else protects. Nobody is known there.
struct TcpEndpoint {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
};

/// TCP with a certificate of the server. PEM files.
struct TlsEndpoint {
  std::string address = "0.0.0.0";
  std::uint16_t port = 2376;
  std::filesystem::path certificate;  ///< of the server, with its chain
  std::filesystem::path key;
  std::filesystem::path authority;  ///< clients must have a certificate of it; empty: they need none
};

struct ServerLimits {
  std::size_t head = 64u << 10;             ///< request line and fields; more is 431
  std::size_t connections = 1024;           ///< one more is answered with 503
  std::chrono::seconds head_timeout{10};    ///< from the first byte to the end of the head; then 408
  std::chrono::seconds idle_timeout{75};    ///< between requests on a connection kept alive
  std::chrono::seconds body_timeout{60};    ///< without a single byte of an announced body
  std::chrono::seconds write_timeout{600};  ///< without the client taking a single byte
};

class Server {
 public:
  Server(asio::any_io_executor executor, Handler handler, ServerLimits limits = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// Must have been closed.
  ~Server();

  /// Binds and starts accepting. A socket file nobody listens on is replaced; one that answers is an Error
  /// (conflict). Any number of endpoints.
  void listen(UnixEndpoint endpoint);
  /// Returns the port, which the kernel chose when 0 was asked for.
  std::uint16_t listen(TlsEndpoint endpoint);
  std::uint16_t listen(TcpEndpoint endpoint);
  /// Stops accepting, removes the socket files, cancels every handler and waits for all connections to end.
  task<> close();
  std::size_t connections() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace gantry::http
