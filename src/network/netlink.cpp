#include "netlink.h"

#include <fmt/format.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include "gantry/base/error.h"

namespace gantry::network {
namespace {

template <class T, void (*free_function)(T*)>
struct Free {
  void operator()(T* object) const { free_function(object); }
};
using LinkPtr = std::unique_ptr<rtnl_link, Free<rtnl_link, rtnl_link_put>>;
using AddrPtr = std::unique_ptr<nl_addr, Free<nl_addr, nl_addr_put>>;
using RtAddrPtr = std::unique_ptr<rtnl_addr, Free<rtnl_addr, rtnl_addr_put>>;
using CachePtr = std::unique_ptr<nl_cache, Free<nl_cache, nl_cache_free>>;

ErrorKind kind_of(int code) {
  switch (-code) {
    case NLE_EXIST:
    case NLE_BUSY:
      return ErrorKind::conflict;
    case NLE_OBJ_NOTFOUND:
    case NLE_NODEV:
      return ErrorKind::not_found;
    case NLE_PERM:
    case NLE_NOACCESS:
      return ErrorKind::denied;
    case NLE_NOMEM:
      return ErrorKind::exhausted;
    default:
      return ErrorKind::internal;
  }
}

void check(int code, std::string_view what) {
  if (code < 0) throw Error(kind_of(code), fmt::format("{}: {}", what, nl_geterror(code)));
}

template <class T>
T* require(T* object) {
  if (object == nullptr) throw std::bad_alloc();
  return object;
}

AddrPtr to_nl(const Address& address, int prefix) {
  AddrPtr out;
  if (address.is_v4()) {
    auto bytes = address.to_v4().to_bytes();
    out.reset(require(nl_addr_build(AF_INET, bytes.data(), bytes.size())));
  } else {
    auto bytes = address.to_v6().to_bytes();
    out.reset(require(nl_addr_build(AF_INET6, bytes.data(), bytes.size())));
  }
  nl_addr_set_prefixlen(out.get(), prefix);
  return out;
}

AddrPtr to_nl_mac(const std::string& mac) {
  nl_addr* parsed = nullptr;
  check(nl_addr_parse(mac.c_str(), AF_LLC, &parsed), "link address " + mac);
  return AddrPtr(parsed);
}

std::optional<Subnet> from_nl(nl_addr* address) {
  const auto* bytes = static_cast<const unsigned char*>(nl_addr_get_binary_addr(address));
  int prefix = static_cast<int>(nl_addr_get_prefixlen(address));
  if (nl_addr_get_family(address) == AF_INET && nl_addr_get_len(address) == 4)
    return subnet_of(boost::asio::ip::address_v4({bytes[0], bytes[1], bytes[2], bytes[3]}), prefix);
  if (nl_addr_get_family(address) == AF_INET6 && nl_addr_get_len(address) == 16) {
    boost::asio::ip::address_v6::bytes_type sixteen;
    std::copy_n(bytes, 16, sixteen.begin());
    return subnet_of(boost::asio::ip::address_v6(sixteen), prefix);
  }
  return std::nullopt;
}

bool is_ordinary(const Subnet& subnet) {
  if (subnet.prefix == 0 || subnet.base.is_multicast() || subnet.base.is_loopback()) return false;
  return !(subnet.base.is_v6() && subnet.base.to_v6().is_link_local());
}

template <class F>
void each_object(nl_cache* cache, F&& visit) {
  for (auto* object = nl_cache_get_first(cache); object != nullptr; object = nl_cache_get_next(object)) visit(object);
}

int route_link(rtnl_route* route) {
  auto* hop = rtnl_route_get_nnexthops(route) > 0 ? rtnl_route_nexthop_n(route, 0) : nullptr;
  return hop == nullptr ? 0 : rtnl_route_nh_get_ifindex(hop);
}

CachePtr routes_of(nl_sock* socket) {
  nl_cache* raw = nullptr;
  check(rtnl_route_alloc_cache(socket, AF_UNSPEC, 0, &raw), "list the host's routes");
  return CachePtr(raw);
}

CachePtr links_of(nl_sock* socket) {
  nl_cache* raw = nullptr;
  check(rtnl_link_alloc_cache(socket, AF_UNSPEC, &raw), "list links");
  return CachePtr(raw);
}

}  // namespace

Netlink::Netlink() : socket_(require(nl_socket_alloc()), nl_socket_free) {
  check(nl_connect(socket_.get(), NETLINK_ROUTE), "open a routing netlink socket");
}

std::vector<Link> Netlink::links() {
  std::vector<Link> out;
  auto cache = links_of(socket_.get());
  each_object(cache.get(), [&](nl_object* object) {
    auto* link = reinterpret_cast<rtnl_link*>(object);
    out.push_back({rtnl_link_get_ifindex(link), rtnl_link_get_master(link), rtnl_link_get_name(link)});
  });
  return out;
}

std::optional<int> Netlink::index_of(const std::string& name) {
  rtnl_link* raw = nullptr;
  int code = rtnl_link_get_kernel(socket_.get(), 0, name.c_str(), &raw);
  LinkPtr link(raw);
  if (code == -NLE_NODEV || code == -NLE_OBJ_NOTFOUND) return std::nullopt;
  check(code, "look up link " + name);
  return rtnl_link_get_ifindex(link.get());
}

void Netlink::add_bridge(const std::string& name, const std::string& mac, int mtu) {
  LinkPtr link(require(rtnl_link_alloc()));
  check(rtnl_link_set_type(link.get(), "bridge"), "make bridge " + name);
  rtnl_link_set_name(link.get(), name.c_str());
  rtnl_link_set_addr(link.get(), to_nl_mac(mac).get());
  rtnl_link_set_mtu(link.get(), static_cast<unsigned>(mtu));
  check(rtnl_link_add(socket_.get(), link.get(), NLM_F_CREATE | NLM_F_EXCL), "make bridge " + name);
}

void Netlink::remove_link(const std::string& name) {
  LinkPtr link(require(rtnl_link_alloc()));
  rtnl_link_set_name(link.get(), name.c_str());
  int code = rtnl_link_delete(socket_.get(), link.get());
  if (code != -NLE_NODEV && code != -NLE_OBJ_NOTFOUND) check(code, "remove link " + name);
}

void Netlink::set_up(int index) {
  LinkPtr which(require(rtnl_link_alloc()));
  LinkPtr change(require(rtnl_link_alloc()));
  rtnl_link_set_ifindex(which.get(), index);
  rtnl_link_set_flags(change.get(), IFF_UP);
  check(rtnl_link_change(socket_.get(), which.get(), change.get(), 0), fmt::format("bring link {} up", index));
}

void Netlink::set_master(int index, int bridge) {
  check(rtnl_link_enslave_ifindex(socket_.get(), bridge, index),
        fmt::format("put link {} into bridge {}", index, bridge));
}

void Netlink::add_address(int index, const Address& address, int prefix) {
  RtAddrPtr object(require(rtnl_addr_alloc()));
  rtnl_addr_set_ifindex(object.get(), index);
  check(rtnl_addr_set_local(object.get(), to_nl(address, prefix).get()), "address " + address.to_string());
  if (address.is_v6()) rtnl_addr_set_flags(object.get(), IFA_F_NODAD);
  int code = rtnl_addr_add(socket_.get(), object.get(), NLM_F_CREATE | NLM_F_EXCL);
  if (code != -NLE_EXIST) check(code, fmt::format("add address {}/{}", address.to_string(), prefix));
}

std::vector<UsedSubnet> Netlink::used_subnets() {
  std::vector<UsedSubnet> out;
  auto note = [&](nl_addr* address, int link) {
    auto subnet = address == nullptr ? std::nullopt : from_nl(address);
    if (subnet && is_ordinary(*subnet)) out.push_back({*subnet, link});
  };
  nl_cache* raw = nullptr;
  check(rtnl_addr_alloc_cache(socket_.get(), &raw), "list the host's addresses");
  CachePtr addresses(raw);
  each_object(addresses.get(), [&](nl_object* object) {
    auto* address = reinterpret_cast<rtnl_addr*>(object);
    note(rtnl_addr_get_local(address), rtnl_addr_get_ifindex(address));
  });
  auto routes = routes_of(socket_.get());
  each_object(routes.get(), [&](nl_object* object) {
    auto* route = reinterpret_cast<rtnl_route*>(object);
    note(rtnl_route_get_dst(route), route_link(route));
  });
  return out;
}

int Netlink::default_mtu() {
  auto routes = routes_of(socket_.get());
  int link = 0;
  each_object(routes.get(), [&](nl_object* object) {
    auto* route = reinterpret_cast<rtnl_route*>(object);
    auto* target = rtnl_route_get_dst(route);
    bool is_default =
        target != nullptr && nl_addr_get_prefixlen(target) == 0 && rtnl_route_get_table(route) == RT_TABLE_MAIN;
    if (link == 0 && is_default && rtnl_route_get_type(route) == RTN_UNICAST) link = route_link(route);
  });
  if (link == 0) return 1500;
  rtnl_link* raw = nullptr;
  check(rtnl_link_get_kernel(socket_.get(), link, nullptr, &raw), "look up the link of the default route");
  LinkPtr found(raw);
  return static_cast<int>(rtnl_link_get_mtu(found.get()));
}

}  // namespace gantry::network
