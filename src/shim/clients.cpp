#include "clients.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys.h"

namespace gantry::shim::clients {
namespace {

using runtime::shim::Header;
using runtime::shim::kMaxPayload;
using runtime::shim::Message;
using runtime::shim::Role;

struct Client {
  int fd = -1;
  bool greeted = false;
  bool waiting = false;  // for room in its socket, with the current chunk
  bool deaf = false;     // has closed its end; what it had sent before is still taken
  bool watched = false;
  Role role{};
};

Client clients[kMost];
int epoll_fd = -1;
int listener = -1;
std::uint32_t first_token = 0;
bool input_held = false;

char chunk_data[kMaxPayload];
std::size_t chunk_size = 0;
Message chunk_type{};
std::int64_t stalled_since = 0;

void drop(Client& client) {
  ::close(client.fd);
  client = Client{};
}

// A client whose input is held is not watched at all: its hang-up would be reported again and again, and it must not be
// dropped before its input has been taken.
void watch(Client& client) {
  bool reads = !(input_held && client.greeted && client.role == Role::attach);
  bool wanted = reads || client.waiting;
  if (!wanted && !client.watched) return;
  epoll_event event{};
  event.events = (reads ? EPOLLIN : 0u) | (client.waiting ? EPOLLOUT : 0u);
  event.data.u32 = first_token + static_cast<std::uint32_t>(&client - clients);
  int operation = !wanted ? EPOLL_CTL_DEL : client.watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  ::epoll_ctl(epoll_fd, operation, client.fd, &event);
  client.watched = wanted;
}

ssize_t send_packet(int fd, Message type, const void* data, std::size_t size) {
  Header header{.type = type};
  iovec parts[2] = {{&header, sizeof header}, {const_cast<void*>(data), size}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = size > 0 ? 2 : 1;
  ssize_t n;
  do n = ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n;
}

void try_chunk(Client& client) {
  bool waited = client.waiting;
  ssize_t n = send_packet(client.fd, chunk_type, chunk_data, chunk_size);
  client.waiting = n < 0 && (errno == EAGAIN || errno == ENOBUFS);
  client.deaf = n < 0 && !client.waiting;
  if (client.waiting != waited) watch(client);
}

void greet(Client& client, const char* data) {
  auto role = static_cast<Role>(*data);
  if (role != Role::control && role != Role::attach) return drop(client);
  client.role = role;
  client.greeted = true;
  if (role == Role::attach) watch(client);
  if (send_packet(client.fd, Message::state, &current_status(), sizeof current_status()) < 0) drop(client);
}

bool well_formed(const Header& header, ssize_t size) {
  if (size < static_cast<ssize_t>(sizeof header) || header.version != runtime::shim::kVersion) return false;
  int wanted = runtime::shim::payload_length(header.type);
  return wanted < 0 || size == static_cast<ssize_t>(sizeof header) + wanted;
}

void receive(Client& client) {
  static char data[kMaxPayload];
  Header header{};
  iovec parts[2] = {{&header, sizeof header}, {data, sizeof data}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  ssize_t n = ::recvmsg(client.fd, &message, MSG_DONTWAIT);
  // A client that closed without having read everything is reported once, ahead of what it had sent.
  if (n < 0 && errno == ECONNRESET) n = ::recvmsg(client.fd, &message, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0 || (message.msg_flags & MSG_TRUNC) != 0 || !well_formed(header, n)) return drop(client);
  auto size = static_cast<std::size_t>(n) - sizeof header;
  if (!client.greeted) return header.type == Message::hello ? greet(client, data) : drop(client);
  if (!runtime::shim::may_send(client.role, current_status().state, header.type)) return drop(client);
  on_message(header.type, data, size);
}

}  // namespace

char* chunk() { return chunk_data; }

void begin(int epoll, int listening, std::uint32_t token) {
  epoll_fd = epoll;
  listener = listening;
  first_token = token;
}

void accept_all() {
  for (;;) {
    int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    Client* free = nullptr;
    for (auto& client : clients)
      if (client.fd < 0 && free == nullptr) free = &client;
    if (free == nullptr) {
      ::close(fd);
      continue;
    }
    free->fd = fd;
    watch(*free);
  }
}

void greet_all() {
  accept_all();
  for (auto& client : clients)
    if (client.fd >= 0 && !client.greeted) receive(client);
}

void on_event(int index, std::uint32_t events) {
  Client& client = clients[index];
  if (client.fd >= 0 && (events & EPOLLOUT) != 0 && client.waiting) try_chunk(client);
  bool held = input_held && client.greeted && client.role == Role::attach;
  if (client.fd >= 0 && (events & EPOLLIN) != 0 && !held) return receive(client);
  if (client.fd >= 0 && (events & (EPOLLHUP | EPOLLERR)) != 0) drop(client);
}

int count() {
  int used = 0;
  for (const auto& client : clients) used += client.fd >= 0 ? 1 : 0;
  return used;
}

void send_chunk(Message type, std::size_t size) {
  chunk_type = type;
  chunk_size = size;
  stalled_since = steady_millis();
  for (auto& client : clients)
    if (client.fd >= 0 && client.greeted && client.role == Role::attach && !client.deaf) try_chunk(client);
}

bool busy() {
  for (const auto& client : clients)
    if (client.waiting) return true;
  return false;
}

int stall_timeout() {
  if (!busy()) return -1;
  std::int64_t left = stalled_since + kStallLimit - steady_millis();
  return left < 0 ? 0 : static_cast<int>(left);
}

void drop_stalled() {
  if (stall_timeout() != 0) return;
  for (auto& client : clients)
    if (client.waiting) drop(client);
}

void broadcast(const runtime::shim::Status& status) {
  for (auto& client : clients)
    if (client.greeted && client.role == Role::control &&
        send_packet(client.fd, Message::state, &status, sizeof status) < 0)
      drop(client);
}

void broadcast_trace(const char* text, std::size_t size) {
  for (auto& client : clients)
    if (client.greeted && client.role == Role::control) send_packet(client.fd, Message::trace, text, size);
}

void broadcast_failure(const char* text, std::size_t size) {
  accept_all();
  for (auto& client : clients)
    if (client.fd >= 0) send_packet(client.fd, Message::failed, text, size);
}

void hold_input(bool hold) {
  if (hold == input_held) return;
  input_held = hold;
  for (auto& client : clients)
    if (client.fd >= 0 && client.greeted && client.role == Role::attach) watch(client);
}

}  // namespace gantry::shim::clients
