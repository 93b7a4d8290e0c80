#include "logging/log_connection.h"

namespace gantry::engine {
namespace {

constexpr auto kLimit = std::chrono::seconds(10);

std::string shown(const LogAddress& address) {
  return address.port.empty() ? address.host : address.host + ":" + address.port;
}

Error failure_of(const LogAddress& address, const boost::system::error_code& failed) {
  if (failed == asio::error::operation_aborted) return Error(ErrorKind::cancelled, "cancelled");
  return Error(ErrorKind::unavailable, "log receiver " + shown(address) + ": " + failed.message(),
               "see whether it runs and listens there");
}

template <class Socket>
class Datagrams : public LogConnection {
 public:
  Datagrams(Socket socket, LogAddress address) : socket_(std::move(socket)), address_(std::move(address)) {}
  task<> send(std::string piece) override {
    boost::system::error_code failed;
    co_await socket_.async_send(asio::buffer(piece), asio::redirect_error(asio::use_awaitable, failed));
    // A message too large for a datagram would be refused again each time: it is lost, as syslog itself does it.
    if (failed && failed != asio::error::message_size) throw failure_of(address_, failed);
  }

 private:
  Socket socket_;
  LogAddress address_;
};

template <class Socket>
class Stream : public LogConnection {
 public:
  Stream(Socket socket, LogAddress address) : socket_(std::move(socket)), address_(std::move(address)) {}
  // Nobody answers on it: what can be read is the other end's leaving, seen before more is lost into its buffers.
  task<> send(std::string piece) override {
    boost::system::error_code failed;
    char byte = 0;
    socket_.non_blocking(true, failed);
    auto got = socket_.receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, failed);
    bool left = failed ? failed != asio::error::would_block : got == 0;
    if (left) throw failure_of(address_, failed ? failed : asio::error::eof);
    failed.clear();
    co_await asio::async_write(socket_, asio::buffer(piece), asio::redirect_error(asio::use_awaitable, failed));
    if (failed) throw failure_of(address_, failed);
  }

 private:
  Socket socket_;
  LogAddress address_;
};

template <class Protocol, template <class> class Connection>
task<std::unique_ptr<LogConnection>> connect_network(LogAddress address) {
  auto executor = co_await asio::this_coro::executor;
  typename Protocol::resolver resolver(executor);
  boost::system::error_code failed;
  auto found =
      co_await resolver.async_resolve(address.host, address.port, asio::redirect_error(asio::use_awaitable, failed));
  if (failed) throw failure_of(address, failed);
  typename Protocol::socket socket(executor);
  co_await asio::async_connect(socket, found, asio::redirect_error(asio::use_awaitable, failed));
  if (failed) throw failure_of(address, failed);
  co_return std::make_unique<Connection<typename Protocol::socket>>(std::move(socket), std::move(address));
}

template <class Protocol, template <class> class Connection>
task<std::unique_ptr<LogConnection>> connect_local(LogAddress address) {
  typename Protocol::socket socket(co_await asio::this_coro::executor);
  boost::system::error_code failed;
  typename Protocol::endpoint endpoint(address.host);
  co_await socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, failed));
  if (failed) throw failure_of(address, failed);
  co_return std::make_unique<Connection<typename Protocol::socket>>(std::move(socket), std::move(address));
}

task<std::unique_ptr<LogConnection>> connect_any(LogAddress address) {
  switch (address.kind) {
    case LogAddress::Kind::udp:
      return connect_network<asio::ip::udp, Datagrams>(std::move(address));
    case LogAddress::Kind::tcp:
      return connect_network<asio::ip::tcp, Stream>(std::move(address));
    case LogAddress::Kind::stream:
      return connect_local<asio::local::stream_protocol, Stream>(std::move(address));
    case LogAddress::Kind::datagram:
      return connect_local<asio::local::datagram_protocol, Datagrams>(std::move(address));
  }
  throw Error(ErrorKind::internal, "a log receiver of no kind");
}

}  // namespace

task<std::unique_ptr<LogConnection>> connect_log(LogAddress address) {
  auto what = "log receiver " + shown(address);
  return with_timeout(std::move(what), kLimit, connect_any(std::move(address)));
}

}  // namespace gantry::engine
