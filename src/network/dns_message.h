#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "address.h"

/// DNS messages, without sockets: what to do with one query.
namespace gantry::network {

using Packet = std::vector<std::uint8_t>;

/// What one client may see. Names are lower case and without the dot at the end.
struct DnsView {
  /// Addresses of both families under a name; nullopt: there is no such name here.
  std::function<std::optional<std::vector<Address>>(const std::string& name)> addresses;
  /// For a PTR name ("2.0.64.10.in-addr.arpa"): nullopt when it is not within the networks the client is in, else the
  /// name of the endpoint, empty when the address is free.
  std::function<std::optional<std::string>(const std::string& name)> reverse;
  bool forwards = true;  ///< other names may be asked outside
};

struct DnsReply {
  enum class Kind { answer, forward, drop };
  Kind kind = Kind::drop;
  Packet packet;  ///< for `answer`
};

constexpr std::size_t kUdpLimit = 512;
constexpr std::size_t kTcpLimit = 65535;

/// Decides about one packet from a client. Never throws on its content: what cannot be understood is answered with
/// FORMERR when it has at least a header, and dropped otherwise. `tcp` lifts the limit on the size of an answer.
/// A name of one label that is not known here is NXDOMAIN and never asked outside.
DnsReply answer_query(std::span<const std::uint8_t> query, const DnsView& view, bool tcp);

/// An answer with only this return code, for a query that was understood.
Packet failure_for(std::span<const std::uint8_t> query, int rcode);
/// True when `answer` has this id and repeats the question of `query`.
bool answers(std::span<const std::uint8_t> query, std::uint16_t id, std::span<const std::uint8_t> answer);

std::uint16_t packet_id(std::span<const std::uint8_t> packet);
void set_packet_id(Packet& packet, std::uint16_t id);

}  // namespace gantry::network
