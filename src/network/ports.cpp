#include "ports.h"

#include <fmt/format.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <charconv>
#include <filesystem>
#include <optional>
#include <set>
#include <sstream>

#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "sysctl.h"

namespace gantry::network {
namespace {

namespace fs = std::filesystem;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

SocketAddress to_socket_address(const Address& address, std::uint16_t port) {
  SocketAddress out;
  boost::asio::ip::tcp::endpoint endpoint(address, port);
  std::memcpy(&out.storage, endpoint.data(), endpoint.size());
  out.size = static_cast<socklen_t>(endpoint.size());
  return out;
}

void set_option(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

// The socket only holds the port: what reaches it past the rules is dropped by a filter that accepts nothing.
void deafen(int fd) {
  sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
  sock_fprog program{.len = 1, .filter = &nothing};
  setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

// A plain bind first, so that every socket on the port is seen. Connections of a server that has just ended linger in
// TIME_WAIT and make it fail; then address reuse looks past them, and is switched off again so that nobody reuses ours.
int bind_socket(int fd, const SocketAddress& where, bool udp) {
  const auto* address = reinterpret_cast<const sockaddr*>(&where.storage);
  if (bind(fd, address, where.size) == 0) return 0;
  if (errno != EADDRINUSE || udp) return errno;
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  int failed = bind(fd, address, where.size) == 0 ? 0 : errno;
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 0);
  return failed;
}

struct Bound {
  Fd socket;
  int failed = 0;
};

Bound bind_one(const Address& address, std::uint16_t port, bool udp) {
  int family = address.is_v4() ? AF_INET : AF_INET6;
  Bound out{Fd(socket(family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0)), 0};
  if (!out.socket) throw_errno("open a socket to hold a port");
  if (udp) deafen(out.socket.get());
  if (address.is_v6()) set_option(out.socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  out.failed = bind_socket(out.socket.get(), to_socket_address(address, port), udp);
  return out;
}

std::uint16_t bound_port(int fd) {
  sockaddr_in6 address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) throw_errno("read a socket's port");
  return ntohs(address.sin6_port);  // at the same place in sockaddr_in
}

std::vector<Address> addresses_of(const PublishedPort& port) {
  if (!port.host_ip.empty()) return {parse_address("host address of a published port", port.host_ip)};
  std::vector<Address> out{boost::asio::ip::address_v4::any()};
  if (host_has_ipv6()) out.emplace_back(boost::asio::ip::address_v6::any());
  return out;
}

std::string shown(const PublishedPort& port) {
  auto host = port.host_ip.empty()                          ? ""
              : port.host_ip.find(':') == std::string::npos ? port.host_ip + ":"
                                                            : "[" + port.host_ip + "]:";
  return fmt::format("{}{}/{}", host, port.host_port, port.udp ? "udp" : "tcp");
}

[[noreturn]] void refuse(int failed, const PublishedPort& port) {
  if (failed == EADDRNOTAVAIL)
    throw Error(ErrorKind::invalid, fmt::format("port {}: this host has no address {}", shown(port), port.host_ip),
                "publish on an address that the host has, or on none to use all of them");
  if (failed != EADDRINUSE) throw system_error(failed, "hold port " + shown(port));
  auto owner = port_owner(port.host_port, port.udp);
  throw Error(ErrorKind::conflict, fmt::format("port {} is in use{}", shown(port), owner.empty() ? "" : " by " + owner),
              "stop what uses it or publish on another port");
}

// nullopt: a port that was not asked for by number is taken, so another try is worth it.
std::optional<PortHold> try_hold(PublishedPort& port, std::uint16_t number) {
  PortHold out;
  for (const auto& address : addresses_of(port)) {
    auto bound = bind_one(address, number, port.udp);
    if (bound.failed != 0) {
      if (bound.failed == EADDRINUSE && port.host_port == 0 && number != 0) return std::nullopt;
      refuse(bound.failed, port);
    }
    if (number == 0) number = bound_port(bound.socket.get());
    out.push_back(std::move(bound.socket));
  }
  port.host_port = number;
  return out;
}

// Lines of /proc/net/tcp and its kin: "sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode".
void collect_inodes(const char* table, std::uint16_t port, bool udp, std::set<std::string>& inodes) {
  std::istringstream lines(read_file_if_exists(fs::path("/proc/thread-self/net") / table).value_or(""));
  std::string line;
  std::getline(lines, line);
  auto wanted = fmt::format(":{:04X}", port);
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
    fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >> inode;
    if (local.ends_with(wanted) && (udp || state == "0A") && inode != "0") inodes.insert("socket:[" + inode + "]");
  }
}

bool has_socket(const fs::path& process, const std::set<std::string>& sockets) {
  std::error_code failed;
  for (fs::directory_iterator fd(process / "fd", failed), end; !failed && fd != end; fd.increment(failed)) {
    std::error_code unreadable;
    if (sockets.contains(fs::read_symlink(fd->path(), unreadable).string())) return true;
  }
  return false;
}

}  // namespace

PortHold hold_port(PublishedPort& port) {
  if (port.host_port == 0 && port.range_last != 0) {
    for (int number = port.range_first; number <= port.range_last; ++number)
      if (auto hold = try_hold(port, static_cast<std::uint16_t>(number))) return std::move(*hold);
    throw Error(ErrorKind::conflict,
                fmt::format("no port from {} to {} is free on this host", port.range_first, port.range_last),
                "stop what uses them or publish on other ports");
  }
  constexpr int kTries = 50;
  for (int i = 0; i < kTries; ++i) {
    if (auto hold = try_hold(port, port.host_port)) return std::move(*hold);
  }
  throw Error(ErrorKind::exhausted, "no port is free on both IPv4 and IPv6");
}

std::string port_owner(std::uint16_t port, bool udp) {
  std::set<std::string> sockets;
  collect_inodes(udp ? "udp" : "tcp", port, udp, sockets);
  collect_inodes(udp ? "udp6" : "tcp6", port, udp, sockets);
  if (sockets.empty()) return {};
  std::error_code failed;
  for (fs::directory_iterator process("/proc", failed), end; !failed && process != end; process.increment(failed)) {
    auto pid = process->path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos || !has_socket(process->path(), sockets)) continue;
    auto name = read_file_if_exists(process->path() / "comm").value_or("");
    while (!name.empty() && name.back() == '\n') name.pop_back();
    return fmt::format("process '{}' (pid {})", name, pid);
  }
  return {};
}

}  // namespace gantry::network
