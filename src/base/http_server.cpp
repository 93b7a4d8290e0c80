#include "gantry/base/http_server.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <list>

#include "gantry/base/fd.h"
#include "gantry/base/log.h"
#include "http_connection.h"
#include "http_tls.h"

namespace gantry::http {
namespace {

using boost::system::error_code;
using Acceptor = asio::local::stream_protocol::acceptor;

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path)
    throw Error(ErrorKind::invalid,
                fmt::format("listen on {}: the path is longer than the {} bytes a socket address holds", path.string(),
                            sizeof address.sun_path - 1),
                "choose a shorter --run-dir");
  path.native().copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

/// Removes the file a killed daemon left. One that still answers belongs to somebody.
void replace_stale(const std::filesystem::path& path, const sockaddr_un& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return;
  if (!S_ISSOCK(status.st_mode))
    throw Error(ErrorKind::conflict, "listen on " + path.string() + ": a file is in the way");
  Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) throw_errno("open a socket");
  int connected = ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (connected == 0 || errno == EAGAIN)
    throw Error(ErrorKind::conflict, "listen on " + path.string() + ": another gantryd is answering there",
                "stop it, or give this one another --run-dir");
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("remove " + path.string());
}

/// A socket file, removed with the object while it is still the one that was made.
class SocketFile {
 public:
  explicit SocketFile(const UnixEndpoint& endpoint) : path_(endpoint.path) {
    struct stat status {};
    if (::lstat(path_.c_str(), &status) != 0) throw_errno("look at " + path_.string());
    inode_ = status.st_ino;
    device_ = status.st_dev;
  }
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;
  ~SocketFile() {
    struct stat status {};
    if (::lstat(path_.c_str(), &status) == 0 && status.st_ino == inode_ && status.st_dev == device_)
      ::unlink(path_.c_str());
  }

 private:
  std::filesystem::path path_;
  ino_t inode_ = 0;
  dev_t device_ = 0;
};

struct Listener {
  std::unique_ptr<SocketFile> file;
  Acceptor acceptor;
};

// Nobody can connect before listen(2), so owner and mode are right from the first connection on.
Fd bind_socket(const UnixEndpoint& endpoint) {
  auto address = address_of(endpoint.path);
  replace_stale(endpoint.path, address);
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) throw_errno("open a socket");
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw_errno("listen on " + endpoint.path.string());
  return socket;
}

void set_access(const UnixEndpoint& endpoint) {
  if (endpoint.group && ::lchown(endpoint.path.c_str(), static_cast<uid_t>(-1), *endpoint.group) != 0)
    throw_errno("set the group of " + endpoint.path.string());
  if (::chmod(endpoint.path.c_str(), endpoint.mode) != 0) throw_errno("set the mode of " + endpoint.path.string());
}

asio::ip::tcp::acceptor bind_tcp(const asio::any_io_executor& executor, const std::string& address,
                                 std::uint16_t port) {
  error_code failed;
  auto parsed = asio::ip::make_address(address, failed);
  if (failed) throw Error(ErrorKind::invalid, "listen on " + address + ": not an IP address");
  asio::ip::tcp::endpoint place(parsed, port);
  asio::ip::tcp::acceptor acceptor(executor);
  acceptor.open(place.protocol(), failed);
  if (!failed) acceptor.set_option(asio::socket_base::reuse_address(true), failed);
  if (!failed) acceptor.bind(place, failed);
  if (!failed) acceptor.listen(asio::socket_base::max_listen_connections, failed);
  if (failed) throw system_error(failed.value(), fmt::format("listen on {}:{}", address, port));
  return acceptor;
}

/// Best effort: a socket that has just been accepted takes this much.
void refuse_connection(Socket socket, std::size_t limit) {
  Error error(ErrorKind::unavailable, fmt::format("the daemon already serves {} connections", limit),
              "close some clients and try again");
  error_code ignored;
  socket.non_blocking(true, ignored);
  asio::write(socket, asio::buffer(closing_answer(503, error)), ignored);
}

}  // namespace

struct Server::State {
  State(asio::any_io_executor executor, Handler chosen, ServerLimits chosen_limits)
      : handler(std::move(chosen)), limits(chosen_limits), accepting(executor), serving(executor) {}

  static task<> serve(std::shared_ptr<State> state, Socket socket) {
    co_await serve_connection(std::move(socket), state->handler, state->limits);
  }

  // Until the acceptor is cancelled; `take` gets every connection.
  template <class From, class Take>
  static task<> accept(std::shared_ptr<State> state, From* acceptor, Take take) {
    while (true) {
      error_code failed;
      auto socket = co_await acceptor->async_accept(asio::redirect_error(asio::use_awaitable, failed));
      if (failed == asio::error::operation_aborted) co_return;
      if (failed) {
        log::error("accept a connection: {}", failed.message());
        co_await sleep_for(std::chrono::milliseconds(100));
      } else {
        take(state, std::move(socket));
      }
    }
  }

  static void take(const std::shared_ptr<State>& state, Socket socket) {
    if (state->is_full())
      refuse_connection(std::move(socket), state->limits.connections);
    else
      state->serving.spawn("connection", serve(state, std::move(socket)));
  }

  // The bytes of a TCP connection are read and written like those of a unix socket, so it is served as one.
  static void take_plain(const std::shared_ptr<State>& state, asio::ip::tcp::socket client) {
    error_code ignored;  // a client that has gone already shows when it is read
    client.set_option(asio::ip::tcp::no_delay(true), ignored);
    take(state, Socket(client.get_executor(), asio::local::stream_protocol(), client.release()));
  }

  bool is_full() const { return serving.size() >= limits.connections; }

  static task<> serve_encrypted(std::shared_ptr<State> state, std::shared_ptr<asio::ssl::context> context,
                                asio::ip::tcp::socket client) {
    auto serve = [state](Socket socket, std::string name) {
      return serve_connection(std::move(socket), state->handler, state->limits, std::move(name));
    };
    co_await serve_tls(std::move(context), std::move(client), state->limits.head_timeout, serve);
  }

  Handler handler;
  ServerLimits limits;
  std::list<Listener> listeners;
  std::list<asio::ip::tcp::acceptor> tcp_listeners;
  Scope accepting;
  Scope serving;
};

Server::Server(asio::any_io_executor executor, Handler handler, ServerLimits limits)
    : state_(std::make_shared<State>(std::move(executor), std::move(handler), limits)) {}

Server::~Server() = default;

void Server::listen(UnixEndpoint endpoint) {
  auto socket = bind_socket(endpoint);
  auto file = std::make_unique<SocketFile>(endpoint);
  set_access(endpoint);
  if (::listen(socket.get(), SOMAXCONN) != 0) throw_errno("listen on " + endpoint.path.string());
  Acceptor acceptor(state_->accepting.executor(), asio::local::stream_protocol(), socket.release());
  auto& listener = state_->listeners.emplace_back(Listener{std::move(file), std::move(acceptor)});
  state_->accepting.spawn("accept", State::accept(state_, &listener.acceptor, State::take));
}

std::uint16_t Server::listen(TlsEndpoint endpoint) {
  auto context = tls_context(endpoint);
  auto& acceptor =
      state_->tcp_listeners.emplace_back(bind_tcp(state_->accepting.executor(), endpoint.address, endpoint.port));
  auto take = [context](const std::shared_ptr<State>& state, asio::ip::tcp::socket client) {
    if (!state->is_full())
      state->serving.spawn("TLS connection", State::serve_encrypted(state, context, std::move(client)));
  };
  state_->accepting.spawn("accept TLS", State::accept(state_, &acceptor, take));
  return acceptor.local_endpoint().port();
}

std::uint16_t Server::listen(TcpEndpoint endpoint) {
  auto& acceptor =
      state_->tcp_listeners.emplace_back(bind_tcp(state_->accepting.executor(), endpoint.address, endpoint.port));
  state_->accepting.spawn("accept TCP", State::accept(state_, &acceptor, State::take_plain));
  return acceptor.local_endpoint().port();
}

task<> Server::close() {
  auto state = state_;
  co_await state->accepting.close();
  state->listeners.clear();
  state->tcp_listeners.clear();
  co_await state->serving.close();
}

std::size_t Server::connections() const { return state_->serving.size(); }

}  // namespace gantry::http
