#include "logging/log_connection.h"

#include "gantry/base/tls.h"

namespace gantry::engine {
namespace {

namespace ssl = asio::ssl;
using namespace asio::experimental::awaitable_operators;

constexpr auto kLimit = std::chrono::seconds(10);
constexpr auto kGlance = std::chrono::milliseconds(50);

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
  task<> expect(std::string) override {
    throw Error(ErrorKind::internal, "log receiver " + shown(address_) + " cannot answer");
    co_return;
  }

 private:
  Socket socket_;
  LogAddress address_;
};

// Nothing arrived unasked. What can be read is then the other end's leaving, seen before more is lost into its buffers.
template <class Socket>
bool has_input(Socket& socket, boost::system::error_code* failed) {
  char byte = 0;
  socket.non_blocking(true, *failed);
  auto got = socket.receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, *failed);
  if (*failed == asio::error::would_block) {
    *failed = {};
    return false;
  }
  if (!*failed && got == 0) *failed = asio::error::eof;
  return true;
}

template <class AnyStream>
task<> read_answer(AnyStream* stream, std::string* got, boost::system::error_code* failed) {
  auto into = asio::buffer(*got);
  co_await asio::async_read(*stream, into, asio::redirect_error(asio::use_awaitable, *failed));
}

template <class AnyStream>
task<> expect_answer(AnyStream* stream, LogAddress address, std::string answer) {
  std::string got(answer.size(), 0);
  boost::system::error_code failed;
  auto what = "log receiver " + shown(address);
  auto read = with_timeout(std::move(what), kLimit, read_answer(stream, &got, &failed));
  co_await std::move(read);
  if (failed) throw failure_of(address, failed);
  if (got != answer)
    throw Error(ErrorKind::unavailable, "log receiver " + shown(address) + " does not say that it has what it was sent",
                "see whether it speaks Fluentd's forward protocol");
}

template <class Socket>
class Stream : public LogConnection {
 public:
  Stream(Socket socket, LogAddress address) : socket_(std::move(socket)), address_(std::move(address)) {}
  task<> send(std::string piece) override {
    boost::system::error_code failed;
    if (has_input(socket_, &failed)) throw failure_of(address_, failed ? failed : asio::error::eof);
    co_await asio::async_write(socket_, asio::buffer(piece), asio::redirect_error(asio::use_awaitable, failed));
    if (failed) throw failure_of(address_, failed);
  }
  task<> expect(std::string answer) override { return expect_answer(&socket_, address_, std::move(answer)); }

 private:
  Socket socket_;
  LogAddress address_;
};

class Encrypted : public LogConnection {
 public:
  using Socket = ssl::stream<asio::ip::tcp::socket>;
  Encrypted(asio::ip::tcp::socket socket, std::shared_ptr<ssl::context> context, LogAddress address)
      : context_(std::move(context)), stream_(std::move(socket), *context_), address_(std::move(address)) {}
  Socket& stream() { return stream_; }
  task<> send(std::string piece) override {
    boost::system::error_code failed;
    if (has_input(stream_.next_layer(), &failed)) {
      if (!failed) co_await glance(&failed);
      if (failed) throw failure_of(address_, failed);
    }
    co_await asio::async_write(stream_, asio::buffer(piece), asio::redirect_error(asio::use_awaitable, failed));
    if (failed) throw failure_of(address_, failed);
  }
  task<> expect(std::string answer) override { return expect_answer(&stream_, address_, std::move(answer)); }

 private:
  // What is there may be TLS's own (tickets, new keys), which nobody gets to see, or a good-bye.
  task<> glance(boost::system::error_code* failed) {
    char byte = 0;
    auto into = asio::buffer(&byte, 1);
    auto read = stream_.async_read_some(into, asio::redirect_error(asio::use_awaitable, *failed));
    auto winner = co_await (std::move(read) || sleep_for(kGlance));
    if (winner.index() == 1) *failed = {};
  }

  std::shared_ptr<ssl::context> context_;
  Socket stream_;
  LogAddress address_;
};

template <class Protocol>
task<typename Protocol::socket> connected(LogAddress address) {
  auto executor = co_await asio::this_coro::executor;
  typename Protocol::resolver resolver(executor);
  boost::system::error_code failed;
  auto found =
      co_await resolver.async_resolve(address.host, address.port, asio::redirect_error(asio::use_awaitable, failed));
  if (failed) throw failure_of(address, failed);
  typename Protocol::socket socket(executor);
  co_await asio::async_connect(socket, found, asio::redirect_error(asio::use_awaitable, failed));
  if (failed) throw failure_of(address, failed);
  co_return socket;
}

template <class Protocol, template <class> class Connection>
task<std::unique_ptr<LogConnection>> connect_network(LogAddress address) {
  auto socket = co_await connected<Protocol>(address);
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

std::shared_ptr<ssl::context> context_of(const LogTls& files) {
  auto context = tls::make_context(ssl::context::tls_client);
  if (files.authorities.empty()) {
    context->set_default_verify_paths();
  } else {
    tls::use_authority(*context, "log option syslog-tls-ca-cert:", files.authorities);
  }
  if (!files.certificate.empty()) {
    tls::use_certificate(*context, "log option syslog-tls-cert:", files.certificate);
    tls::use_key(*context, "log option syslog-tls-key:", files.key);
  }
  return context;
}

task<std::unique_ptr<LogConnection>> connect_encrypted(LogAddress address, LogTls tls) {
  auto socket = co_await connected<asio::ip::tcp>(address);
  auto connection = std::make_unique<Encrypted>(std::move(socket), context_of(tls), address);
  auto& stream = connection->stream();
  boost::system::error_code failed;
  stream.set_verify_mode(tls.skip_verify ? ssl::verify_none : ssl::verify_peer);
  if (!tls.skip_verify) stream.set_verify_callback(ssl::host_name_verification(address.host));
  // RFC 6066: no addresses as server names.
  asio::ip::make_address(address.host, failed);
  if (failed) SSL_set_tlsext_host_name(stream.native_handle(), address.host.c_str());
  co_await stream.async_handshake(ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, failed));
  if (failed) throw failure_of(address, failed);
  co_return std::move(connection);
}

task<std::unique_ptr<LogConnection>> connect_any(LogAddress address, LogTls tls) {
  switch (address.kind) {
    case LogAddress::Kind::tls:
      return connect_encrypted(std::move(address), std::move(tls));
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

task<std::unique_ptr<LogConnection>> connect_log(LogAddress address, LogTls tls) {
  auto what = "log receiver " + shown(address);
  return with_timeout(std::move(what), kLimit, connect_any(std::move(address), std::move(tls)));
}

}  // namespace gantry::engine
