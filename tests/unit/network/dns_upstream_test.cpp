#include "dns_upstream.h"

#include <gtest/gtest.h>
#include <ldns/ldns.h>

namespace gantry::network {
namespace {

using asio::ip::udp;

const Address kLoopback = asio::ip::address_v4::loopback();

Packet query() {
  auto* packet = ldns_pkt_query_new(ldns_dname_new_frm_str("example.org."), LDNS_RR_TYPE_A, LDNS_RR_CLASS_IN, LDNS_RD);
  ldns_pkt_set_id(packet, 77);
  std::uint8_t* wire = nullptr;
  std::size_t size = 0;
  ldns_pkt2wire(&wire, packet, &size);
  ldns_pkt_free(packet);
  Packet out(wire, wire + size);
  std::free(wire);
  return out;
}

/// Answers the first `wrong` questions with a foreign id before the right answer.
task<> serve(udp::socket* socket, int wrong) {
  Packet buffer(512);
  udp::endpoint client;
  auto size = co_await socket->async_receive_from(asio::buffer(buffer), client, asio::use_awaitable);
  auto answer = failure_for(std::span(buffer).first(size), LDNS_RCODE_NXDOMAIN);
  auto id = packet_id(answer);
  for (int i = 0; i < wrong; ++i) {
    set_packet_id(answer, static_cast<std::uint16_t>(id + 1 + i));
    socket->send_to(asio::buffer(answer), client);
  }
  set_packet_id(answer, id);
  socket->send_to(asio::buffer(answer), client);
}

TEST(DnsUpstream, TakesTheRightAnswerAndGivesTheClientsIdBack) {
  asio::io_context context;
  udp::socket server(context, udp::endpoint(kLoopback, 0));
  Scope scope(context.get_executor());
  scope.spawn("server", serve(&server, 3));
  auto future = asio::co_spawn(context, ask_upstream(query(), {kLoopback}, false, server.local_endpoint().port()),
                               asio::use_future);
  context.run();
  auto answer = future.get();
  ASSERT_TRUE(answer);
  EXPECT_EQ(packet_id(*answer), 77);
  EXPECT_EQ((*answer)[3] & 0xf, LDNS_RCODE_NXDOMAIN);
}

TEST(DnsUpstream, ASilentServerIsPassedOver) {
  asio::io_context context;
  udp::socket server(context, udp::endpoint(kLoopback, 0));
  Scope scope(context.get_executor());
  scope.spawn("server", serve(&server, 0));
  // Nothing listens on this port of the other loopback address: the refusal comes at once.
  std::vector<Address> servers{asio::ip::make_address("127.0.0.9"), kLoopback};
  auto future =
      asio::co_spawn(context, ask_upstream(query(), servers, false, server.local_endpoint().port()), asio::use_future);
  context.run();
  EXPECT_TRUE(future.get());
}

}  // namespace
}  // namespace gantry::network
