#include "route_batch.h"

#include <fmt/format.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "gantry/base/error.h"

namespace gantry::network {
namespace {

// Answers wait in the socket until they are read, and its room is limited.
constexpr std::size_t kAtOnce = 64;
constexpr std::size_t kAlign = NLMSG_ALIGNTO;

std::size_t aligned(std::size_t size) { return (size + kAlign - 1) & ~(kAlign - 1); }

std::array<unsigned char, 6> mac_bytes(const std::string& mac) {
  std::array<unsigned char, 6> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    auto pair = mac.size() >= 3 * i + 2 ? mac.substr(3 * i, 2) : std::string("x");
    std::size_t used = 0;
    out[i] = static_cast<unsigned char>(std::stoul(pair, &used, 16));
    if (used != 2) throw Error(ErrorKind::internal, "link address '" + mac + "' is malformed");
  }
  return out;
}

struct AddressBytes {
  std::array<unsigned char, 16> bytes{};
  std::size_t size = 4;
  std::uint8_t family = AF_INET;
};

AddressBytes bytes_of(const Address& address) {
  AddressBytes out;
  if (address.is_v4()) {
    auto four = address.to_v4().to_bytes();
    std::copy(four.begin(), four.end(), out.bytes.begin());
  } else {
    auto sixteen = address.to_v6().to_bytes();
    std::copy(sixteen.begin(), sixteen.end(), out.bytes.begin());
    out.size = 16;
    out.family = AF_INET6;
  }
  return out;
}

// The kernel's own words, where it has some.
std::string words_of(const nlmsghdr* header) {
  const auto* error = static_cast<const nlmsgerr*>(NLMSG_DATA(header));
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  std::size_t at = NLMSG_HDRLEN + sizeof(nlmsgerr);
  if ((header->nlmsg_flags & NLM_F_CAPPED) == 0) at += aligned(error->msg.nlmsg_len - NLMSG_HDRLEN);
  const auto* bytes = reinterpret_cast<const char*>(header);
  while (at + sizeof(nlattr) <= header->nlmsg_len) {
    nlattr attribute{};
    std::memcpy(&attribute, bytes + at, sizeof attribute);
    if (attribute.nla_len < sizeof attribute || at + attribute.nla_len > header->nlmsg_len) return {};
    if ((attribute.nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG)
      return std::string(bytes + at + sizeof attribute,
                         ::strnlen(bytes + at + sizeof attribute, attribute.nla_len - sizeof attribute));
    at += aligned(attribute.nla_len);
  }
  return {};
}

Error failure(int code, const std::string& what, const std::string& words) {
  auto error = system_error(code, words.empty() ? what : what + ": " + words);
  if (code == ENODEV || code == ESRCH) return Error(ErrorKind::not_found, error.message());
  if (code == EXFULL)
    return Error(ErrorKind::exhausted, what + ": the bridge has no free port, the kernel allows 1023 of them",
                 "put further containers on another network");
  return error;
}

}  // namespace

void RouteBatch::raw(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const char*>(data);
  bytes_.insert(bytes_.end(), bytes, bytes + size);
  bytes_.resize(aligned(bytes_.size()));
}

void RouteBatch::begin(int type, int flags, std::string what, int tolerated) {
  entries_.push_back({bytes_.size(), tolerated, std::move(what)});
  nlmsghdr header{};
  header.nlmsg_type = static_cast<std::uint16_t>(type);
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  raw(&header, sizeof header);
}

void RouteBatch::end() {
  auto at = entries_.back().begin;
  auto size = static_cast<std::uint32_t>(bytes_.size() - at);
  std::memcpy(bytes_.data() + at + offsetof(nlmsghdr, nlmsg_len), &size, sizeof size);
}

void RouteBatch::attribute(int type, const void* data, std::size_t size) {
  nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + size), static_cast<std::uint16_t>(type)};
  raw(&header, sizeof header);
  raw(data, size);
}

void RouteBatch::text(int type, const std::string& value) { attribute(type, value.c_str(), value.size() + 1); }
void RouteBatch::number(int type, std::uint32_t value) { attribute(type, &value, sizeof value); }

std::size_t RouteBatch::open_nest(int type) {
  auto at = bytes_.size();
  attribute(type | NLA_F_NESTED, nullptr, 0);
  return at;
}

void RouteBatch::close_nest(std::size_t nest) {
  auto size = static_cast<std::uint16_t>(bytes_.size() - nest);
  std::memcpy(bytes_.data() + nest + offsetof(nlattr, nla_len), &size, sizeof size);
}

void RouteBatch::add_veth(const Veth& veth) {
  begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, "make veth pair " + veth.host_name);
  ifinfomsg link{};
  auto describe = [&](const std::string& name) {
    text(IFLA_IFNAME, name);
    number(IFLA_MTU, static_cast<std::uint32_t>(veth.mtu));
    number(IFLA_NUM_TX_QUEUES, 1);
    number(IFLA_NUM_RX_QUEUES, 1);
  };
  raw(&link, sizeof link);
  describe(veth.host_name);
  auto info = open_nest(IFLA_LINKINFO);
  text(IFLA_INFO_KIND, "veth");
  auto data = open_nest(IFLA_INFO_DATA);
  auto peer = open_nest(VETH_INFO_PEER);
  raw(&link, sizeof link);
  describe(veth.peer_name);
  number(IFLA_NET_NS_FD, static_cast<std::uint32_t>(veth.peer_netns));
  close_nest(peer);
  close_nest(data);
  close_nest(info);
  end();
}

void RouteBatch::change_link(const LinkChange& change) {
  begin(RTM_NEWLINK, 0, fmt::format("change link {}{}", change.index, change.up ? " and bring it up" : ""));
  ifinfomsg link{};
  link.ifi_index = change.index;
  if (change.up) link.ifi_flags = link.ifi_change = IFF_UP;
  raw(&link, sizeof link);
  if (!change.name.empty()) text(IFLA_IFNAME, change.name);
  if (!change.mac.empty()) {
    auto mac = mac_bytes(change.mac);
    attribute(IFLA_ADDRESS, mac.data(), mac.size());
  }
  if (change.mtu != 0) number(IFLA_MTU, static_cast<std::uint32_t>(change.mtu));
  if (change.master != 0) number(IFLA_MASTER, static_cast<std::uint32_t>(change.master));
  end();
}

void RouteBatch::generate_address6(int index, bool wanted) {
  begin(RTM_SETLINK, 0, fmt::format("choose how link {} gets its address", index), EAFNOSUPPORT);
  ifinfomsg link{};
  link.ifi_index = index;
  raw(&link, sizeof link);
  auto families = open_nest(IFLA_AF_SPEC);
  auto family = open_nest(AF_INET6);
  std::uint8_t mode = wanted ? IN6_ADDR_GEN_MODE_EUI64 : IN6_ADDR_GEN_MODE_NONE;
  attribute(IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
  close_nest(family);
  close_nest(families);
  end();
}

void RouteBatch::set_hairpin(int port) { set_port(port, IFLA_BRPORT_MODE, BRIDGE_MODE_HAIRPIN, "set hairpin mode of"); }
void RouteBatch::isolate(int port) { set_port(port, IFLA_BRPORT_ISOLATED, 1, "isolate"); }

void RouteBatch::set_port(int port, int which, std::uint8_t value, const char* what) {
  begin(RTM_SETLINK, 0, fmt::format("{} link {}", what, port));
  ifinfomsg link{};
  link.ifi_family = PF_BRIDGE;
  link.ifi_index = port;
  raw(&link, sizeof link);
  auto info = open_nest(IFLA_PROTINFO);
  attribute(which, &value, sizeof value);
  close_nest(info);
  end();
}

void RouteBatch::add_address(int index, const Address& address, int prefix) {
  begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, fmt::format("add address {}/{}", address.to_string(), prefix), EEXIST);
  auto bytes = bytes_of(address);
  ifaddrmsg message{};
  message.ifa_family = bytes.family;
  message.ifa_prefixlen = static_cast<std::uint8_t>(prefix);
  message.ifa_flags = address.is_v6() ? IFA_F_NODAD : 0;
  message.ifa_index = static_cast<std::uint32_t>(index);
  raw(&message, sizeof message);
  attribute(IFA_LOCAL, bytes.bytes.data(), bytes.size);
  attribute(IFA_ADDRESS, bytes.bytes.data(), bytes.size);
  end();
}

void RouteBatch::add_default_route(int index, const Address& gateway) {
  begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, "add the default route through " + gateway.to_string());
  auto bytes = bytes_of(gateway);
  rtmsg message{};
  message.rtm_family = bytes.family;
  message.rtm_table = RT_TABLE_MAIN;
  message.rtm_protocol = RTPROT_STATIC;
  message.rtm_scope = RT_SCOPE_UNIVERSE;
  message.rtm_type = RTN_UNICAST;
  raw(&message, sizeof message);
  attribute(RTA_GATEWAY, bytes.bytes.data(), bytes.size);
  number(RTA_OIF, static_cast<std::uint32_t>(index));
  end();
}

void RouteBatch::remove_default_route(bool v4) {
  begin(RTM_DELROUTE, 0, "remove the default route", ESRCH);
  rtmsg message{};
  message.rtm_family = v4 ? AF_INET : AF_INET6;
  message.rtm_table = RT_TABLE_MAIN;
  message.rtm_protocol = RTPROT_STATIC;
  message.rtm_scope = v4 ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE;
  raw(&message, sizeof message);
  end();
}

void RouteBatch::settle_link(int index) {
  begin(RTM_GETLINK, 0, fmt::format("look at link {}", index));
  ifinfomsg link{};
  link.ifi_index = index;
  raw(&link, sizeof link);
  number(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  end();
}

void RouteBatch::set_group(const std::string& name, std::uint32_t group) {
  begin(RTM_SETLINK, 0, "mark link " + name, ENODEV);
  ifinfomsg link{};
  raw(&link, sizeof link);
  text(IFLA_IFNAME, name);
  number(IFLA_GROUP, group);
  end();
}

void RouteBatch::remove_group(std::uint32_t group) {
  begin(RTM_DELLINK, 0, "remove links", ENODEV);
  ifinfomsg link{};
  raw(&link, sizeof link);
  number(IFLA_GROUP, group);
  end();
}

RouteSocket::RouteSocket() : fd_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {
  if (!fd_) throw_errno("open a routing netlink socket");
  int on = 1;
  ::setsockopt(fd_.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  ::setsockopt(fd_.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
}

std::optional<int> RouteSocket::index_of(const std::string& name) const {
  ifreq request{};
  if (name.size() >= sizeof request.ifr_name) return std::nullopt;
  std::memcpy(request.ifr_name, name.c_str(), name.size() + 1);
  if (::ioctl(fd_.get(), SIOCGIFINDEX, &request) == 0) return request.ifr_ifindex;
  if (errno != ENODEV) throw_errno("look up link " + name);
  return std::nullopt;
}

void RouteSocket::send(std::string_view bytes) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  for (;;) {
    auto sent =
        ::sendto(fd_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
    if (sent >= 0) return;
    if (errno != EINTR) throw_errno("ask the kernel for a change of links");
  }
}

std::vector<int> RouteSocket::answers(std::uint32_t first, std::size_t count, std::vector<std::string>& words) {
  std::vector<int> codes(count, 0);
  words.assign(count, {});
  alignas(nlmsghdr) char buffer[16384];
  for (std::size_t seen = 0; seen < count;) {
    auto size = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) throw_errno("read the kernel's answer about links");
    auto left = static_cast<std::uint32_t>(size);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
      auto n = static_cast<std::size_t>(header->nlmsg_seq - first);
      if (header->nlmsg_type != NLMSG_ERROR || n >= count) continue;
      codes[n] = -static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error;
      if (codes[n] != 0) words[n] = words_of(header);
      ++seen;
    }
  }
  return codes;
}

void RouteSocket::run(const RouteBatch& batch) {
  auto bytes = batch.bytes_;
  const auto& entries = batch.entries_;
  std::optional<Error> failed;
  for (std::size_t from = 0; from < entries.size(); from += kAtOnce) {
    auto to = std::min(from + kAtOnce, entries.size());
    auto first = sequence_ + 1;
    for (auto i = from; i < to; ++i) {
      ++sequence_;
      std::memcpy(bytes.data() + entries[i].begin + offsetof(nlmsghdr, nlmsg_seq), &sequence_, sizeof sequence_);
    }
    auto begin = entries[from].begin;
    auto end = to < entries.size() ? entries[to].begin : bytes.size();
    send(std::string_view(bytes.data() + begin, end - begin));
    std::vector<std::string> words;
    auto codes = answers(first, to - from, words);
    for (std::size_t i = 0; i < codes.size() && !failed; ++i) {
      const auto& entry = entries[from + i];
      if (codes[i] != 0 && codes[i] != entry.tolerated) failed = failure(codes[i], entry.what, words[i]);
    }
  }
  if (failed) throw *failed;
}

}  // namespace gantry::network
