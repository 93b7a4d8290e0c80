#include "packets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace gantry::runtime {
namespace {

// A run directory's path may be longer than a socket address: the address goes through a descriptor of the directory.
sockaddr_un address_in(const Fd& directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  auto path = "/proc/self/fd/" + std::to_string(directory.get()) + "/shim.sock";
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Fd make_socket() {
  Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) throw_errno("make a socket");
  return socket;
}

Fd connect_to(const std::filesystem::path& directory) {
  Fd where = open_file(directory.string(), O_PATH | O_DIRECTORY);
  Fd socket = make_socket();
  auto address = address_in(where);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) {
    int code = errno == ECONNREFUSED ? ENOENT : errno;
    throw system_error(code, "connect to the shim in " + directory.string());
  }
  return socket;
}

Error gone() { return Error(ErrorKind::unavailable, "the container's shim has gone"); }

}  // namespace

Fd listen_in(const std::filesystem::path& directory) {
  Fd where = open_file(directory.string(), O_PATH | O_DIRECTORY);
  Fd socket = make_socket();
  auto address = address_in(where);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 ||
      ::listen(socket.get(), 128) < 0)
    throw_errno("listen on " + (directory / "shim.sock").string());
  return socket;
}

Packets::Packets(asio::any_io_executor executor, const std::filesystem::path& directory, shim::Role role)
    : socket_(std::move(executor), connect_to(directory).release()) {
  if (!try_send(shim::Message::hello, std::string(1, static_cast<char>(role)))) throw gone();
}

bool Packets::try_send(shim::Message type, const std::string& payload) {
  shim::Header header{.type = type};
  iovec parts[2] = {{&header, sizeof header}, {const_cast<char*>(payload.data()), payload.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  for (;;) {
    if (::sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return true;
    if (errno == EAGAIN || errno == ENOBUFS) return false;
    if (errno != EINTR) throw gone();
  }
}

task<> Packets::send(shim::Message type, std::string payload) {
  if (!socket_.is_open()) throw gone();
  while (!try_send(type, payload)) {
    co_await socket_.async_wait(asio::posix::stream_descriptor::wait_write, asio::use_awaitable);
    if (!socket_.is_open()) throw gone();
  }
}

std::optional<ssize_t> Packets::try_receive(shim::Header& header, std::string& buffer) {
  iovec parts[2] = {{&header, sizeof header}, {buffer.data(), buffer.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  ssize_t n = ::recvmsg(socket_.native_handle(), &message, MSG_DONTWAIT);
  // A peer that ended with something of ours unread is reported once, ahead of what it had sent.
  if (n < 0 && errno == ECONNRESET) n = ::recvmsg(socket_.native_handle(), &message, MSG_DONTWAIT);
  if (n >= 0) return n;
  if (errno == EAGAIN || errno == EINTR) return std::nullopt;
  return 0;
}

task<std::optional<Packet>> Packets::receive() {
  shim::Header header{};
  std::string buffer(shim::kMaxPayload, '\0');
  while (socket_.is_open()) {
    auto size = try_receive(header, buffer);
    if (!size) {
      co_await socket_.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
      continue;
    }
    if (*size < static_cast<ssize_t>(sizeof header)) break;
    if (header.version != shim::kVersion)
      throw Error(ErrorKind::unsupported, "the container's shim speaks another protocol version",
                  "restart the container");
    buffer.resize(static_cast<std::size_t>(*size) - sizeof header);
    int wanted = shim::payload_length(header.type);
    if (wanted >= 0 && buffer.size() != static_cast<std::size_t>(wanted))
      throw Error(ErrorKind::internal, "the container's shim sent a malformed message");
    Packet packet;
    packet.type = header.type;
    packet.payload = std::move(buffer);
    co_return packet;
  }
  co_return std::nullopt;
}

void Packets::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

shim::Status to_status(const Packet& packet) {
  shim::Status status;
  std::memcpy(&status, packet.payload.data(), sizeof status);
  return status;
}

std::string to_payload(const shim::Window& window) { return {reinterpret_cast<const char*>(&window), sizeof window}; }

}  // namespace gantry::runtime
