#include "dns_message.h"

#include <gtest/gtest.h>
#include <ldns/ldns.h>

#include <memory>
#include <random>

namespace gantry::network {
namespace {

using PacketPtr = std::unique_ptr<ldns_pkt, void (*)(ldns_pkt*)>;

Packet question(const std::string& name, ldns_rr_type type, std::uint16_t edns = 0) {
  PacketPtr query(ldns_pkt_query_new(ldns_dname_new_frm_str(name.c_str()), type, LDNS_RR_CLASS_IN, LDNS_RD),
                  ldns_pkt_free);
  ldns_pkt_set_id(query.get(), 0x1234);
  if (edns != 0) ldns_pkt_set_edns_udp_size(query.get(), edns);
  std::uint8_t* wire = nullptr;
  std::size_t size = 0;
  ldns_pkt2wire(&wire, query.get(), &size);
  Packet out(wire, wire + size);
  std::free(wire);
  return out;
}

PacketPtr parsed(const Packet& packet) {
  ldns_pkt* raw = nullptr;
  EXPECT_EQ(ldns_wire2pkt(&raw, packet.data(), packet.size()), LDNS_STATUS_OK);
  return {raw, ldns_pkt_free};
}

DnsView view(std::vector<Address> addresses, bool forwards = true) {
  DnsView out;
  out.addresses = [addresses](const std::string& name) -> std::optional<std::vector<Address>> {
    return name == "web" ? std::optional(addresses) : std::nullopt;
  };
  out.reverse = [](const std::string& name) -> std::optional<std::string> {
    if (name == "2.0.64.10.in-addr.arpa") return "web.shop";
    return name.ends_with(".64.10.in-addr.arpa") ? std::optional<std::string>("") : std::nullopt;
  };
  out.forwards = forwards;
  return out;
}

const std::vector<Address> kOne{parse_address("test", "10.64.0.2")};

int rcode(const DnsReply& reply) { return ldns_pkt_get_rcode(parsed(reply.packet).get()); }
std::size_t count(const DnsReply& reply) { return ldns_pkt_ancount(parsed(reply.packet).get()); }

TEST(DnsMessage, AnswersKnownNamesInAnyCase) {
  auto reply = answer_query(question("WeB.", LDNS_RR_TYPE_A), view(kOne), false);
  ASSERT_EQ(reply.kind, DnsReply::Kind::answer);
  EXPECT_EQ(count(reply), 1u);
  EXPECT_EQ(packet_id(reply.packet), 0x1234);
  EXPECT_TRUE(ldns_pkt_ra(parsed(reply.packet).get()));
}

TEST(DnsMessage, ANameWithoutTheWantedTypeIsEmptyNotUnknown) {
  auto reply = answer_query(question("web.", LDNS_RR_TYPE_AAAA), view(kOne), false);
  EXPECT_EQ(rcode(reply), LDNS_RCODE_NOERROR);
  EXPECT_EQ(count(reply), 0u);
}

TEST(DnsMessage, ForwardsOnlyWhatMayBeOutside) {
  EXPECT_EQ(answer_query(question("example.org.", LDNS_RR_TYPE_A), view(kOne), false).kind, DnsReply::Kind::forward);
  EXPECT_EQ(rcode(answer_query(question("nobody.", LDNS_RR_TYPE_A), view(kOne), false)), LDNS_RCODE_NXDOMAIN);
  EXPECT_EQ(rcode(answer_query(question("example.org.", LDNS_RR_TYPE_A), view(kOne, false), false)),
            LDNS_RCODE_NXDOMAIN);
}

TEST(DnsMessage, Reverse) {
  auto reply = answer_query(question("2.0.64.10.in-addr.arpa.", LDNS_RR_TYPE_PTR), view(kOne), false);
  EXPECT_EQ(count(reply), 1u);
  EXPECT_EQ(rcode(answer_query(question("9.0.64.10.in-addr.arpa.", LDNS_RR_TYPE_PTR), view(kOne), false)),
            LDNS_RCODE_NXDOMAIN);
  EXPECT_EQ(answer_query(question("1.0.0.127.in-addr.arpa.", LDNS_RR_TYPE_PTR), view(kOne), false).kind,
            DnsReply::Kind::forward);
}

TEST(DnsMessage, ALongAnswerIsTruncatedOverUdpOnly) {
  std::vector<Address> many;
  for (std::uint32_t i = 0; i < 200; ++i) many.emplace_back(boost::asio::ip::address_v4(0x0a400000u + i));
  auto small = answer_query(question("web.", LDNS_RR_TYPE_A), view(many), false);
  EXPECT_LE(small.packet.size(), kUdpLimit);
  EXPECT_TRUE(ldns_pkt_tc(parsed(small.packet).get()));
  EXPECT_LE(answer_query(question("web.", LDNS_RR_TYPE_A, 65535), view(many), false).packet.size(), 1232u);
  EXPECT_EQ(count(answer_query(question("web.", LDNS_RR_TYPE_A), view(many), true)), 200u);
}

TEST(DnsMessage, MalformedIsAnsweredOrDropped) {
  EXPECT_EQ(answer_query(Packet(5, 0), view(kOne), false).kind, DnsReply::Kind::drop);
  auto cut = question("web.", LDNS_RR_TYPE_A);
  cut.resize(14);
  EXPECT_EQ(answer_query(cut, view(kOne), false).packet[3] & 0xf, LDNS_RCODE_FORMERR);
  auto response = question("web.", LDNS_RR_TYPE_A);
  response[2] |= 0x80;
  EXPECT_EQ(answer_query(response, view(kOne), false).kind, DnsReply::Kind::drop)
      << "two servers must not talk in circles";
  auto notify = question("web.", LDNS_RR_TYPE_A);
  notify[2] = 0x20;
  EXPECT_EQ(answer_query(notify, view(kOne), false).packet[3] & 0xf, LDNS_RCODE_NOTIMPL);
}

TEST(DnsMessage, AnAnswerMustFitItsQuestion) {
  auto query = question("example.org.", LDNS_RR_TYPE_A);
  auto good = failure_for(query, LDNS_RCODE_NOERROR);
  EXPECT_TRUE(answers(query, 0x1234, good));
  EXPECT_FALSE(answers(query, 0x1235, good));
  EXPECT_FALSE(answers(query, 0x1234, failure_for(question("example.net.", LDNS_RR_TYPE_A), LDNS_RCODE_NOERROR)));
  EXPECT_FALSE(answers(query, 0x1234, query));
}

// Random packets and packets with a few bytes changed: nothing may crash, and no answer may exceed what UDP takes.
TEST(DnsMessage, SurvivesAnyBytes) {
  std::mt19937 random(4711);
  auto shown = view(kOne);
  auto seed = question("web.", LDNS_RR_TYPE_A, 4096);
  for (int round = 0; round < 20000; ++round) {
    Packet packet = seed;
    if (round % 2 == 0) {
      packet.resize(random() % 100);
      for (auto& byte : packet) byte = static_cast<std::uint8_t>(random());
    }
    for (unsigned i = random() % 4; i > 0 && !packet.empty(); --i)
      packet[random() % packet.size()] = static_cast<std::uint8_t>(random());
    auto reply = answer_query(packet, shown, false);
    if (reply.kind == DnsReply::Kind::answer) {
      ASSERT_GE(reply.packet.size(), 12u);
      ASSERT_LE(reply.packet.size(), 1500u);
    }
    answers(seed, 0x1234, packet);
  }
}

}  // namespace
}  // namespace gantry::network
