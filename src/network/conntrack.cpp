#include "conntrack.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>

#include "gantry/base/error.h"
#include "gantry/base/files.h"

namespace gantry::network {
namespace {

struct Free {
  void operator()(nl_sock* socket) const { nl_socket_free(socket); }
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};
using SocketPtr = std::unique_ptr<nl_sock, Free>;
using MessagePtr = std::unique_ptr<nl_msg, Free>;

void check(int code, std::string_view what) {
  if (code < 0) throw Error(ErrorKind::internal, std::string(what) + ": " + nl_geterror(code));
}

/// One direction of a flow.
struct Tuple {
  std::optional<Address> source;
  std::optional<Address> target;
  int protocol = 0;
  std::uint16_t target_port = 0;
};

struct Flow {
  std::uint8_t family = 0;
  Tuple original;
  Tuple reply;
  std::vector<char> original_bytes;  ///< the attribute as the kernel gave it: names the flow when it is deleted
};

std::optional<Address> address_in(nlattr* attribute) {
  if (attribute == nullptr) return std::nullopt;
  const auto* bytes = static_cast<const unsigned char*>(nla_data(attribute));
  if (nla_len(attribute) == 4) return boost::asio::ip::address_v4({bytes[0], bytes[1], bytes[2], bytes[3]});
  boost::asio::ip::address_v6::bytes_type sixteen{};
  if (nla_len(attribute) != 16) return std::nullopt;
  std::copy_n(bytes, 16, sixteen.begin());
  return boost::asio::ip::address_v6(sixteen);
}

Tuple read_tuple(nlattr* attribute) {
  Tuple out;
  nlattr* parts[CTA_TUPLE_MAX + 1];
  if (attribute == nullptr || nla_parse_nested(parts, CTA_TUPLE_MAX, attribute, nullptr) < 0) return out;
  nlattr* ip[CTA_IP_MAX + 1];
  if (parts[CTA_TUPLE_IP] != nullptr && nla_parse_nested(ip, CTA_IP_MAX, parts[CTA_TUPLE_IP], nullptr) >= 0) {
    out.source = address_in(ip[CTA_IP_V4_SRC] != nullptr ? ip[CTA_IP_V4_SRC] : ip[CTA_IP_V6_SRC]);
    out.target = address_in(ip[CTA_IP_V4_DST] != nullptr ? ip[CTA_IP_V4_DST] : ip[CTA_IP_V6_DST]);
  }
  nlattr* proto[CTA_PROTO_MAX + 1];
  if (parts[CTA_TUPLE_PROTO] != nullptr &&
      nla_parse_nested(proto, CTA_PROTO_MAX, parts[CTA_TUPLE_PROTO], nullptr) >= 0) {
    if (proto[CTA_PROTO_NUM] != nullptr) out.protocol = nla_get_u8(proto[CTA_PROTO_NUM]);
    if (proto[CTA_PROTO_DST_PORT] != nullptr) out.target_port = ntohs(nla_get_u16(proto[CTA_PROTO_DST_PORT]));
  }
  return out;
}

int collect(nl_msg* message, void* argument) {
  auto& flows = *static_cast<std::vector<Flow>*>(argument);
  auto* header = nlmsg_hdr(message);
  nlattr* parts[CTA_MAX + 1];
  if (nlmsg_parse(header, sizeof(nfgenmsg), parts, CTA_MAX, nullptr) < 0 || parts[CTA_TUPLE_ORIG] == nullptr)
    return NL_OK;
  Flow flow;
  flow.family = static_cast<const nfgenmsg*>(nlmsg_data(header))->nfgen_family;
  flow.original = read_tuple(parts[CTA_TUPLE_ORIG]);
  flow.reply = read_tuple(parts[CTA_TUPLE_REPLY]);
  const auto* data = static_cast<const char*>(nla_data(parts[CTA_TUPLE_ORIG]));
  flow.original_bytes.assign(data, data + nla_len(parts[CTA_TUPLE_ORIG]));
  if (flow.original.protocol == IPPROTO_UDP) flows.push_back(std::move(flow));
  return NL_OK;
}

SocketPtr open_conntrack() {
  SocketPtr socket(nl_socket_alloc());
  if (!socket) throw std::bad_alloc();
  check(nl_connect(socket.get(), NETLINK_NETFILTER), "open a netfilter netlink socket");
  return socket;
}

MessagePtr request(int type, int flags, std::uint8_t family) {
  MessagePtr message(nlmsg_alloc_simple((NFNL_SUBSYS_CTNETLINK << 8) | type, NLM_F_REQUEST | flags));
  if (!message) throw std::bad_alloc();
  nfgenmsg header{.nfgen_family = family, .version = NFNETLINK_V0, .res_id = 0};
  check(nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO), "conntrack request");
  return message;
}

std::vector<Flow> udp_flows(nl_sock* socket) {
  std::vector<Flow> out;
  check(nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, collect, &out), "list tracked flows");
  auto message = request(IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC);
  check(nl_send_auto(socket, message.get()), "list tracked flows");
  check(nl_recvmsgs_default(socket), "list tracked flows");
  return out;
}

// A flow that ended by itself in between is fine.
void erase(nl_sock* socket, const Flow& flow) {
  auto message = request(IPCTNL_MSG_CT_DELETE, NLM_F_ACK, flow.family);
  check(nla_put(message.get(), CTA_TUPLE_ORIG | NLA_F_NESTED, static_cast<int>(flow.original_bytes.size()),
                flow.original_bytes.data()),
        "conntrack request");
  int code = nl_send_sync(socket, message.release());
  if (code != -NLE_OBJ_NOTFOUND) check(code, "forget a tracked flow");
}

// Of this network namespace; true where the kernel does not say.
bool tracks_any() {
  auto count = read_file_if_exists("/proc/sys/net/netfilter/nf_conntrack_count");
  return !count || *count != "0\n";
}

void forget(const std::function<bool(const Flow&)>& chosen) {
  if (!tracks_any()) return;
  auto listing = open_conntrack();
  auto erasing = open_conntrack();
  for (const auto& flow : udp_flows(listing.get())) {
    if (chosen(flow)) erase(erasing.get(), flow);
  }
}

bool among(const std::vector<Address>& list, const std::optional<Address>& address) {
  return address && std::find(list.begin(), list.end(), *address) != list.end();
}

}  // namespace

void forget_udp_flows(const std::vector<Address>& addresses) {
  forget(
      [&](const Flow& flow) { return among(addresses, flow.original.source) || among(addresses, flow.reply.source); });
}

void forget_udp_ports(const std::vector<std::uint16_t>& ports) {
  forget([&](const Flow& flow) {
    return std::find(ports.begin(), ports.end(), flow.original.target_port) != ports.end();
  });
}

}  // namespace gantry::network
