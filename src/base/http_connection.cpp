#include "http_connection.h"

#include <sys/socket.h>

#include <array>

#include "gantry/base/log.h"

namespace gantry::http {
namespace {

namespace bh = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t kHeadRead = 4096;
// How long and how much of an unwanted body is still taken, so that the client gets to read the answer.
constexpr std::chrono::seconds kLinger{2};
constexpr std::size_t kLingerBytes = 8u << 20;

constexpr uid_t kNobody = 65534;

Peer peer_of(Socket& socket) {
  int family = AF_UNSPEC;
  socklen_t size = sizeof family;
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_DOMAIN, &family, &size) != 0)
    throw_errno("read the family of a client's socket");
  if (family != AF_UNIX) return Peer{0, kNobody, kNobody, {}, {}};
  ucred credentials{};
  size = sizeof credentials;
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    throw_errno("read the credentials of a client");
  Peer peer{credentials.pid, credentials.uid, credentials.gid, {}, {}};
  socklen_t bytes = 0;
  // The first call only tells the size.
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERGROUPS, nullptr, &bytes) != 0 && errno != ERANGE)
    throw_errno("read the groups of a client");
  peer.groups.resize(bytes / sizeof(gid_t));
  if (bytes > 0 && ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &bytes) != 0)
    throw_errno("read the groups of a client");
  return peer;
}

/// Returns when the client has closed its connection. A client that only ended its own direction (half-close) is
/// still there: the kernel reports a hang-up of a unix socket only when both directions are down.
task<> client_gone(std::shared_ptr<Wire> wire) {
  error_code stopped;
  co_await wire->socket.async_wait(Socket::wait_error, asio::redirect_error(asio::use_awaitable, stopped));
  if (!wire->write_ended) co_return;
  // We ended our direction ourselves, so the hang-up may be our own doing: the handler finishes undisturbed.
  asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await never.async_wait(asio::redirect_error(asio::use_awaitable, stopped));
}

class Connection {
 public:
  Connection(Socket socket, const Handler& handler, const ServerLimits& limits, std::optional<std::string> certificate)
      : wire_(std::make_shared<Wire>(std::move(socket))),
        handler_(handler),
        limits_(limits),
        certificate_(std::move(certificate)) {}

  task<> serve() {
    peer_ = peer_of(wire_->socket);
    peer_.certificate = certificate_;
    bool more = true;
    while (more) more = co_await serve_request();
  }

 private:
  /// False when the connection is to be closed.
  task<bool> serve_request() {
    RequestParser parser;
    parser.header_limit(static_cast<std::uint32_t>(limits_.head));
    parser.body_limit(boost::none);
    parser.eager(false);
    std::optional<StatusError> refusal;
    try {
      if (!co_await read_head(&parser)) co_return false;
    } catch (const StatusError& error) {
      refusal = error;
    }
    std::optional<Request> request;
    if (!refusal) {
      try {
        request = request_of(parser);
      } catch (const Error& error) {
        refusal.emplace(http_status(error.kind()), error.kind(), error.message(), error.fix());
      }
    }
    if (refusal) {
      co_await wire_->write_all(closing_answer(refusal->status(), *refusal), limits_.write_timeout);
      co_await linger();
      co_return false;
    }
    ServerExchange exchange(wire_, parser, std::move(*request), limits_);
    if (!co_await run_handler(&exchange)) co_return false;
    if (exchange.keeps_alive()) co_return true;
    if (exchange.answer() != Answer::upgraded) co_await linger();
    co_return false;
  }

  /// False at the end of an idle connection.
  task<bool> read_head(RequestParser* parser) {
    auto deadline = deadline_in(limits_.idle_timeout);
    bool begun = wire_->buffer.size() > 0;
    if (begun) deadline = deadline_in(limits_.head_timeout);
    while (true) {
      if (wire_->buffer.size() > 0) {
        error_code failed;
        wire_->buffer.consume(parser->put(wire_->buffer.cdata(), failed));
        if (parser->is_header_done()) co_return true;
        refuse_malformed(failed);
      }
      std::size_t count = 0;
      bool late = false;
      try {
        count = co_await wire_->fill(kHeadRead, deadline);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::timeout) throw;
        late = true;
      }
      if (late && begun) throw StatusError(408, ErrorKind::timeout, "the request's head did not arrive in time");
      if (late || count == 0) co_return false;
      if (!begun) {
        begun = true;
        deadline = deadline_in(limits_.head_timeout);
      }
    }
  }

  void refuse_malformed(error_code failed) const {
    if (!failed || failed == bh::error::need_more) return;
    if (failed == bh::error::header_limit)
      throw StatusError(431, ErrorKind::invalid,
                        "the request's head is over the limit of " + std::to_string(limits_.head) + " bytes");
    throw StatusError(400, ErrorKind::invalid, "malformed request: " + failed.message());
  }

  Request request_of(const RequestParser& parser) const {
    const auto& message = parser.get();
    Request request;
    request.method = std::string(message.method_string());
    request.target = parse_target(std::string_view(message.target()));
    for (const auto& field : message) request.headers.add(std::string(field.name_string()), std::string(field.value()));
    request.peer = peer_;
    return request;
  }

  /// Runs the handler until it ends or the client goes; false when nothing more can be said on this connection.
  task<bool> run_handler(ServerExchange* exchange) {
    using namespace asio::experimental::awaitable_operators;
    detail::Outcome<void> outcome;
    auto first = co_await (detail::settle<void>(handler_(*exchange), &outcome) || client_gone(wire_));
    if (first.index() == 1) co_return false;
    if (outcome.failure) co_return co_await answer_failure(exchange, outcome.failure);
    if (exchange->answer() == Answer::streaming) co_await exchange->end_stream();
    if (exchange->answer() == Answer::none) {
      log::error("{} {}: the handler gave no answer", exchange->request().method, exchange->request().target.path);
      Error error(ErrorKind::internal, "no answer was given");
      co_await exchange->respond(500, std::string(kJson), error_body(error));
    }
    co_return true;
  }

  task<bool> answer_failure(ServerExchange* exchange, std::exception_ptr failure) {
    auto error = to_error(failure);
    if (error.kind() == ErrorKind::internal)
      log::error("{} {}: {}", exchange->request().method, exchange->request().target.path, error.message());
    switch (exchange->answer()) {
      case Answer::none:
        co_await exchange->respond(status_of(failure), std::string(kJson), error_body(error));
        co_return true;
      case Answer::streaming:
        if (!exchange->is_ndjson()) co_return false;
        co_await exchange->write(error_body(error) + "\n");
        co_await exchange->end_stream();
        co_return true;
      default:
        co_return false;
    }
  }

  static int status_of(std::exception_ptr failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const StatusError& error) {
      return error.status();
    } catch (...) {
      return http_status(to_error(failure).kind());
    }
  }

  /// Ends our direction and takes what the client still sends, for a while: closing at once would make the kernel
  /// fail the client's writes before it has read our answer.
  task<> linger() {
    wire_->shutdown_write();
    auto deadline = deadline_in(kLinger);
    wire_->buffer.consume(wire_->buffer.size());
    try {
      for (std::size_t taken = 0; taken < kLingerBytes;) {
        auto count = co_await wire_->fill(64u << 10, deadline);
        wire_->buffer.consume(count);
        if (count == 0) co_return;
        taken += count;
      }
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cancelled) throw;
    }
  }

  std::shared_ptr<Wire> wire_;
  const Handler& handler_;
  const ServerLimits& limits_;
  std::optional<std::string> certificate_;
  Peer peer_;
};

}  // namespace

task<> serve_connection(Socket socket, const Handler& handler, const ServerLimits& limits,
                        std::optional<std::string> certificate) {
  Connection connection(std::move(socket), handler, limits, std::move(certificate));
  try {
    co_await connection.serve();
  } catch (const Error& error) {
    // A client that left, or one that takes nothing: the end of this connection and nothing more.
    if (error.kind() != ErrorKind::unavailable && error.kind() != ErrorKind::timeout) throw;
    log::debug("connection ended: {}", error.message());
  }
}

}  // namespace gantry::http
