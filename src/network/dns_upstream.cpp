#include "dns_upstream.h"

#include <ldns/ldns.h>

#include <charconv>

#include "gantry/base/ids.h"

namespace gantry::network {
namespace {

constexpr auto kAttempt = std::chrono::milliseconds(1500);
constexpr int kRounds = 2;
constexpr std::size_t kServers = 3;  // as resolv.conf(5) has it

std::uint16_t random_id() {
  auto hex = random_hex(4);
  std::uint16_t out = 0;
  std::from_chars(hex.data(), hex.data() + hex.size(), out, 16);
  return out;
}

// The socket is connected, so only the server's packets arrive; its port is the kernel's random choice.
task<Packet> ask_udp(Packet query, asio::ip::udp::endpoint server) {
  asio::ip::udp::socket socket(co_await asio::this_coro::executor, server.protocol());
  socket.connect(server);
  auto id = random_id();
  set_packet_id(query, id);
  co_await socket.async_send(asio::buffer(query), asio::use_awaitable);
  Packet answer(kTcpLimit);
  for (;;) {
    auto size = co_await socket.async_receive(asio::buffer(answer), asio::use_awaitable);
    if (answers(query, id, std::span(answer).first(size))) {
      answer.resize(size);
      co_return answer;
    }
  }
}

task<Packet> ask_tcp(Packet query, asio::ip::tcp::endpoint server) {
  asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(server, asio::use_awaitable);
  auto id = random_id();
  set_packet_id(query, id);
  std::array<std::uint8_t, 2> length{static_cast<std::uint8_t>(query.size() >> 8),
                                     static_cast<std::uint8_t>(query.size() & 0xff)};
  std::array<asio::const_buffer, 2> message{asio::buffer(length), asio::buffer(query)};
  co_await asio::async_write(socket, message, asio::use_awaitable);
  co_await asio::async_read(socket, asio::buffer(length), asio::use_awaitable);
  Packet answer(static_cast<std::size_t>((length[0] << 8) | length[1]));
  co_await asio::async_read(socket, asio::buffer(answer), asio::use_awaitable);
  if (!answers(query, id, answer)) throw Error(ErrorKind::unavailable, "resolver: an answer to another question");
  co_return answer;
}

task<Packet> ask_one(Packet query, Address server, bool tcp, std::uint16_t port) {
  if (tcp) co_return co_await ask_tcp(std::move(query), asio::ip::tcp::endpoint(server, port));
  co_return co_await ask_udp(std::move(query), asio::ip::udp::endpoint(server, port));
}

bool is_refusal(const Packet& answer) {
  int rcode = answer.size() >= LDNS_HEADER_SIZE ? answer[3] & 0xf : LDNS_RCODE_SERVFAIL;
  return rcode == LDNS_RCODE_SERVFAIL || rcode == LDNS_RCODE_REFUSED || rcode == LDNS_RCODE_NOTIMPL;
}

// A server that does not answer, or refuses, is an ordinary outcome: the next one is asked.
task<std::optional<Packet>> try_one(Packet query, Address server, bool tcp, std::uint16_t port) {
  std::exception_ptr failure;
  try {
    auto work = ask_one(std::move(query), std::move(server), tcp, port);
    auto answer = co_await with_timeout("resolver", kAttempt, std::move(work));
    co_return std::move(answer);
  } catch (...) {
    failure = std::current_exception();
  }
  if (is_cancellation(failure)) std::rethrow_exception(failure);
  co_return std::nullopt;
}

}  // namespace

task<std::optional<Packet>> ask_upstream(Packet query, std::vector<Address> servers, bool tcp, std::uint16_t port) {
  auto id = packet_id(query);
  if (servers.size() > kServers) servers.resize(kServers);
  std::optional<Packet> refusal;
  for (int round = 0; round < kRounds; ++round) {
    for (const auto& server : servers) {
      auto answer = co_await try_one(query, server, tcp, port);
      if (!answer) continue;
      set_packet_id(*answer, id);
      if (!is_refusal(*answer)) co_return answer;
      refusal = std::move(answer);
    }
    if (refusal) break;
  }
  co_return refusal;
}

}  // namespace gantry::network
