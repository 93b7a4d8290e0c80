#include "dns_server.h"

#include <fmt/format.h>
#include <ldns/ldns.h>
#include <netinet/in.h>

#include "dns_upstream.h"
#include "gantry/base/log.h"

namespace gantry::network {
namespace {

using asio::ip::tcp;
using asio::ip::udp;

constexpr std::uint16_t kPort = 53;
constexpr int kMaxForwarded = 512;  // queries that wait for the outside, over all networks
constexpr int kMaxConnections = 256;
constexpr auto kIdle = std::chrono::seconds(10);

// An address that was added a moment ago may not count as the host's own yet.
template <class Acceptor>
void allow_early_bind(Acceptor& socket, const Address& address) {
  int on = 1;
  if (address.is_v4()) {
    setsockopt(socket.native_handle(), IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
  } else {
    setsockopt(socket.native_handle(), IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on);
  }
}

}  // namespace

struct DnsServer::Listener {
  Listener(asio::any_io_executor executor, NetworkId id, Subnet clients, Address address)
      : network(std::move(id)), subnet(std::move(clients)), datagrams(executor), connections(executor) {
    udp::endpoint datagram_endpoint(address, kPort);
    datagrams.open(datagram_endpoint.protocol());
    allow_early_bind(datagrams, address);
    datagrams.bind(datagram_endpoint);
    datagrams.non_blocking(true);  // an answer that the socket cannot take is dropped, never waited for
    tcp::endpoint stream_endpoint(address, kPort);
    connections.open(stream_endpoint.protocol());
    connections.set_option(tcp::acceptor::reuse_address(true));
    allow_early_bind(connections, address);
    connections.bind(stream_endpoint);
    connections.listen();
  }

  void close() {
    boost::system::error_code ignored;
    datagrams.close(ignored);
    connections.close(ignored);
  }

  NetworkId network;
  Subnet subnet;
  udp::socket datagrams;
  tcp::acceptor connections;
};

struct DnsServer::Shared {
  using ListenerPtr = std::shared_ptr<Listener>;

  ViewOf view_of;
  HostResolvers resolvers;
  Scope* scope = nullptr;
  int forwarded = 0;
  int connected = 0;

  task<Packet> forward(Packet query, bool tcp_client) {
    if (forwarded >= kMaxForwarded) co_return failure_for(query, LDNS_RCODE_SERVFAIL);
    ++forwarded;
    auto done = std::shared_ptr<void>(nullptr, [this](void*) { --forwarded; });
    auto servers = resolvers.current().servers;
    auto answer = co_await ask_upstream(query, std::move(servers), tcp_client);
    co_return answer ? std::move(*answer) : failure_for(query, LDNS_RCODE_SERVFAIL);
  }

  task<> forward_datagram(ListenerPtr listener, Packet query, udp::endpoint client) {
    auto answer = co_await forward(std::move(query), false);
    boost::system::error_code ignored;
    listener->datagrams.send_to(asio::buffer(answer), client, 0, ignored);
  }

  void handle_datagram(const ListenerPtr& listener, std::span<const std::uint8_t> query, const udp::endpoint& client) {
    if (!listener->subnet.contains(client.address())) return;
    auto reply = answer_query(query, view_of(listener->network, client.address()), false);
    boost::system::error_code ignored;
    if (reply.kind == DnsReply::Kind::answer)
      listener->datagrams.send_to(asio::buffer(reply.packet), client, 0, ignored);
    if (reply.kind == DnsReply::Kind::forward)
      scope->spawn("dns query", forward_datagram(listener, Packet(query.begin(), query.end()), client));
  }

  // An error of one datagram (an ICMP answer to an earlier one) says nothing about the next.
  task<> serve_datagrams(ListenerPtr listener) {
    Packet buffer(4096);
    while (listener->datagrams.is_open()) {
      udp::endpoint client;
      boost::system::error_code failed;
      auto token = asio::redirect_error(asio::use_awaitable, failed);
      auto size = co_await listener->datagrams.async_receive_from(asio::buffer(buffer), client, token);
      if (failed == asio::error::operation_aborted || failed == asio::error::bad_descriptor) co_return;
      if (!failed) handle_datagram(listener, std::span(buffer).first(size), client);
    }
  }

  task<bool> serve_one(ListenerPtr listener, std::shared_ptr<tcp::socket> socket, Address client) {
    std::array<std::uint8_t, 2> length{};
    co_await asio::async_read(*socket, asio::buffer(length), asio::use_awaitable);
    Packet query(static_cast<std::size_t>((length[0] << 8) | length[1]));
    co_await asio::async_read(*socket, asio::buffer(query), asio::use_awaitable);
    auto view = view_of(listener->network, client);
    auto reply = answer_query(query, view, true);
    if (reply.kind == DnsReply::Kind::drop) co_return false;
    if (reply.kind == DnsReply::Kind::forward) reply.packet = co_await forward(std::move(query), true);
    length = {static_cast<std::uint8_t>(reply.packet.size() >> 8),
              static_cast<std::uint8_t>(reply.packet.size() & 0xff)};
    std::array<asio::const_buffer, 2> message{asio::buffer(length), asio::buffer(reply.packet)};
    co_await asio::async_write(*socket, message, asio::use_awaitable);
    co_return true;
  }

  // A client that goes away or falls silent ends its connection; nobody needs to know.
  task<> serve_connection(ListenerPtr listener, std::shared_ptr<tcp::socket> socket, Address client) {
    ++connected;
    auto done = std::shared_ptr<void>(nullptr, [this](void*) { --connected; });
    try {
      for (bool more = true; more;) {
        auto one = serve_one(listener, socket, client);
        more = co_await with_timeout("dns client", kIdle, std::move(one));
      }
    } catch (const boost::system::system_error&) {
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::timeout) throw;
    }
  }

  void accept_client(const ListenerPtr& listener, std::shared_ptr<tcp::socket> socket) {
    boost::system::error_code failed;
    auto client = socket->remote_endpoint(failed).address();
    if (failed || !listener->subnet.contains(client) || connected >= kMaxConnections) return;
    scope->spawn("dns connection", serve_connection(listener, std::move(socket), client));
  }

  task<> serve_connections(ListenerPtr listener) {
    while (listener->connections.is_open()) {
      auto socket = std::make_shared<tcp::socket>(listener->connections.get_executor());
      boost::system::error_code failed;
      auto token = asio::redirect_error(asio::use_awaitable, failed);
      co_await listener->connections.async_accept(*socket, token);
      if (failed == asio::error::operation_aborted || failed == asio::error::bad_descriptor) co_return;
      if (!failed) accept_client(listener, std::move(socket));
      // Out of descriptors or memory: accepting again at once would spin.
      if (failed) co_await sleep_for(std::chrono::milliseconds(100));
    }
  }
};

DnsServer::DnsServer(asio::any_io_executor executor, ViewOf view_of)
    : shared_(std::make_shared<Shared>()), scope_(std::move(executor)) {
  shared_->view_of = std::move(view_of);
  shared_->scope = &scope_;
}

DnsServer::~DnsServer() = default;

HostResolvers& DnsServer::resolvers() { return shared_->resolvers; }

void DnsServer::listen(const NetworkRecord& network) {
  if (listeners_.contains(network.id)) return;
  std::vector<std::shared_ptr<Listener>> made;
  auto add = [&](const Subnet& subnet, const Address& gateway) {
    try {
      made.push_back(std::make_shared<Listener>(scope_.executor(), network.id, subnet, gateway));
    } catch (const boost::system::system_error& error) {
      throw Error(ErrorKind::conflict,
                  fmt::format("name service of network {}: port 53 of {}: {}", network.spec.name, gateway.to_string(),
                              error.code().message()),
                  "let the host's own DNS server listen on the host's addresses only, not on all");
    }
  };
  add(network.v4, network.gateway);
  if (network.gateway6) add(*network.v6, *network.gateway6);
  for (const auto& listener : made) {
    scope_.spawn("dns over udp", shared_->serve_datagrams(listener));
    scope_.spawn("dns over tcp", shared_->serve_connections(listener));
  }
  listeners_[network.id] = std::move(made);
}

void DnsServer::stop(const NetworkId& network) {
  auto found = listeners_.find(network);
  if (found == listeners_.end()) return;
  for (const auto& listener : found->second) listener->close();
  listeners_.erase(found);
}

task<> DnsServer::close() {
  for (const auto& [id, list] : listeners_) {
    for (const auto& listener : list) listener->close();
  }
  listeners_.clear();
  co_await scope_.close();
}

}  // namespace gantry::network
