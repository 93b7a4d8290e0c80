#include "dns_message.h"

#include <ldns/ldns.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "gantry/base/text.h"

namespace gantry::network {
namespace {

constexpr std::uint32_t kTtl = 0;            // replicas come and go: nobody may keep an answer
constexpr std::uint16_t kUdpPayload = 1232;  // fits every path without fragments (DNS flag day 2020)

struct FreePacket {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
using PacketPtr = std::unique_ptr<ldns_pkt, FreePacket>;

PacketPtr parse(std::span<const std::uint8_t> bytes) {
  ldns_pkt* raw = nullptr;
  auto status = ldns_wire2pkt(&raw, bytes.data(), bytes.size());
  if (status != LDNS_STATUS_OK) return nullptr;
  return PacketPtr(raw);
}

Packet to_wire(const ldns_pkt* packet) {
  std::uint8_t* raw = nullptr;
  std::size_t size = 0;
  if (ldns_pkt2wire(&raw, packet, &size) != LDNS_STATUS_OK) return {};
  Packet out(raw, raw + size);
  std::free(raw);
  return out;
}

// A header alone with the query's id: what is said to a query whose rest made no sense.
Packet bare_failure(std::span<const std::uint8_t> query, int rcode) {
  Packet out(LDNS_HEADER_SIZE, 0);
  out[0] = query[0];
  out[1] = query[1];
  out[2] = static_cast<std::uint8_t>(0x80 | (query[2] & 0x79));
  out[3] = static_cast<std::uint8_t>(0x80 | rcode);
  return out;
}

PacketPtr reply_to(const ldns_pkt* query, int rcode) {
  PacketPtr out(ldns_pkt_new());
  ldns_pkt_set_id(out.get(), ldns_pkt_id(query));
  ldns_pkt_set_qr(out.get(), true);
  ldns_pkt_set_rd(out.get(), ldns_pkt_rd(query));
  ldns_pkt_set_ra(out.get(), true);
  ldns_pkt_set_rcode(out.get(), static_cast<std::uint8_t>(rcode));
  if (ldns_pkt_edns(query)) ldns_pkt_set_edns_udp_size(out.get(), kUdpPayload);
  const auto* questions = ldns_pkt_question(query);
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(questions); ++i)
    ldns_pkt_push_rr(out.get(), LDNS_SECTION_QUESTION, ldns_rr_clone(ldns_rr_list_rr(questions, i)));
  return out;
}

std::string name_of(const ldns_rr* question) {
  char* raw = ldns_rdf2str(ldns_rr_owner(question));
  auto out = lower(raw == nullptr ? "" : raw);
  std::free(raw);
  if (out.ends_with('.')) out.pop_back();
  return out;
}

void push_record(ldns_pkt* reply, const ldns_rr* question, ldns_rr_type type, ldns_rdf* data) {
  auto* record = ldns_rr_new();
  ldns_rr_set_owner(record, ldns_rdf_clone(ldns_rr_owner(question)));
  ldns_rr_set_type(record, type);
  ldns_rr_set_class(record, LDNS_RR_CLASS_IN);
  ldns_rr_set_ttl(record, kTtl);
  ldns_rr_push_rdf(record, data);
  ldns_pkt_push_rr(reply, LDNS_SECTION_ANSWER, record);
}

ldns_rdf* address_data(const Address& address) {
  if (address.is_v4()) {
    auto bytes = address.to_v4().to_bytes();
    return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_A, bytes.size(), bytes.data());
  }
  auto bytes = address.to_v6().to_bytes();
  return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_AAAA, bytes.size(), bytes.data());
}

Packet truncated(const ldns_pkt* query) {
  auto reply = reply_to(query, LDNS_RCODE_NOERROR);
  ldns_pkt_set_tc(reply.get(), true);
  return to_wire(reply.get());
}

std::size_t size_limit(const ldns_pkt* query, bool tcp) {
  if (tcp) return kTcpLimit;
  if (!ldns_pkt_edns(query)) return kUdpLimit;
  return std::clamp<std::size_t>(ldns_pkt_edns_udp_size(query), kUdpLimit, kUdpPayload);
}

DnsReply finish(const ldns_pkt* query, const PacketPtr& reply, bool tcp) {
  auto packet = to_wire(reply.get());
  if (packet.size() > size_limit(query, tcp)) packet = truncated(query);
  return {DnsReply::Kind::answer, std::move(packet)};
}

DnsReply with_rcode(const ldns_pkt* query, int rcode) {
  return {DnsReply::Kind::answer, to_wire(reply_to(query, rcode).get())};
}

DnsReply from_addresses(const ldns_pkt* query, const ldns_rr* question, const std::vector<Address>& addresses,
                        bool tcp) {
  auto reply = reply_to(query, LDNS_RCODE_NOERROR);
  auto type = ldns_rr_get_type(question);
  for (const auto& address : addresses) {
    auto own = address.is_v4() ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA;
    if (type == own || type == LDNS_RR_TYPE_ANY) push_record(reply.get(), question, own, address_data(address));
  }
  return finish(query, reply, tcp);
}

DnsReply from_reverse(const ldns_pkt* query, const ldns_rr* question, const std::string& name, bool tcp) {
  if (name.empty()) return with_rcode(query, LDNS_RCODE_NXDOMAIN);
  auto reply = reply_to(query, LDNS_RCODE_NOERROR);
  auto* target = ldns_dname_new_frm_str((name + ".").c_str());
  if (target == nullptr) return with_rcode(query, LDNS_RCODE_NXDOMAIN);
  push_record(reply.get(), question, LDNS_RR_TYPE_PTR, target);
  return finish(query, reply, tcp);
}

DnsReply decide(const ldns_pkt* query, const DnsView& view, bool tcp) {
  const auto* question = ldns_rr_list_rr(ldns_pkt_question(query), 0);
  auto name = name_of(question);
  if (ldns_rr_get_class(question) == LDNS_RR_CLASS_IN) {
    if (auto addresses = view.addresses(name)) return from_addresses(query, question, *addresses, tcp);
    if (ldns_rr_get_type(question) == LDNS_RR_TYPE_PTR) {
      if (auto target = view.reverse(name)) return from_reverse(query, question, *target, tcp);
    }
  }
  bool single_label = name.find('.') == std::string::npos && !name.empty();
  if (single_label || !view.forwards) return with_rcode(query, LDNS_RCODE_NXDOMAIN);
  return {DnsReply::Kind::forward, {}};
}

// Two spellings of one name: the outside may change the case of a question, nothing else.
bool same_question(const ldns_pkt* a, const ldns_pkt* b) {
  if (ldns_rr_list_rr_count(ldns_pkt_question(a)) != 1 || ldns_rr_list_rr_count(ldns_pkt_question(b)) != 1)
    return false;
  const auto* left = ldns_rr_list_rr(ldns_pkt_question(a), 0);
  const auto* right = ldns_rr_list_rr(ldns_pkt_question(b), 0);
  return ldns_rr_get_type(left) == ldns_rr_get_type(right) && ldns_rr_get_class(left) == ldns_rr_get_class(right) &&
         name_of(left) == name_of(right);
}

}  // namespace

DnsReply answer_query(std::span<const std::uint8_t> query, const DnsView& view, bool tcp) {
  bool is_response = query.size() >= LDNS_HEADER_SIZE && (query[2] & 0x80) != 0;
  if (query.size() < LDNS_HEADER_SIZE || is_response) return {};
  int opcode = (query[2] >> 3) & 0xf;
  if (opcode != LDNS_PACKET_QUERY) return {DnsReply::Kind::answer, bare_failure(query, LDNS_RCODE_NOTIMPL)};
  auto packet = parse(query);
  if (!packet || ldns_rr_list_rr_count(ldns_pkt_question(packet.get())) != 1)
    return {DnsReply::Kind::answer, bare_failure(query, LDNS_RCODE_FORMERR)};
  auto reply = decide(packet.get(), view, tcp);
  if (reply.kind == DnsReply::Kind::answer && reply.packet.empty())
    reply.packet = bare_failure(query, LDNS_RCODE_SERVFAIL);
  return reply;
}

Packet failure_for(std::span<const std::uint8_t> query, int rcode) {
  auto packet = parse(query);
  return packet ? to_wire(reply_to(packet.get(), rcode).get()) : bare_failure(query, rcode);
}

bool answers(std::span<const std::uint8_t> query, std::uint16_t id, std::span<const std::uint8_t> answer) {
  if (answer.size() < LDNS_HEADER_SIZE || packet_id(answer) != id || (answer[2] & 0x80) == 0) return false;
  auto asked = parse(query);
  auto told = parse(answer);
  return asked && told && same_question(asked.get(), told.get());
}

std::uint16_t packet_id(std::span<const std::uint8_t> packet) {
  return static_cast<std::uint16_t>((packet[0] << 8) | packet[1]);
}

void set_packet_id(Packet& packet, std::uint16_t id) {
  packet[0] = static_cast<std::uint8_t>(id >> 8);
  packet[1] = static_cast<std::uint8_t>(id & 0xff);
}

}  // namespace gantry::network
