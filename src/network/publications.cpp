#include <fmt/format.h>

#include <algorithm>

#include "conntrack.h"
#include "gantry/base/log.h"
#include "manager.h"

namespace gantry::network {
namespace {

bool is_any(const std::string& host_ip) {
  if (host_ip.empty()) return true;
  return parse_address("host address of a published port", host_ip).is_unspecified();
}

bool serves(const std::string& host_ip, bool v4) {
  return host_ip.empty() || parse_address("host address of a published port", host_ip).is_v4() == v4;
}

struct Held {
  std::vector<PublicationRecord> publications;
  std::vector<PortHold> holds;
};

Held hold_all(std::vector<PublicationRecord> publications) {
  Held out;
  for (auto& publication : publications) out.holds.push_back(hold_port(publication.port));
  out.publications = std::move(publications);
  return out;
}

}  // namespace

std::vector<PortForward> NetworkManager::Impl::forwards_of(const PublicationRecord& publication) const {
  const auto& port = publication.port;
  std::vector<PortForward> out;
  for (const auto* endpoint : records.endpoints.of(publication.container)) {
    if (endpoint->network != publication.network) continue;
    std::optional<Address> host;
    if (!is_any(port.host_ip)) host = parse_address("host address of a published port", port.host_ip);
    if (serves(port.host_ip, true))
      out.push_back({port.udp, host, port.host_port, endpoint->ipv4, port.container_port});
    if (serves(port.host_ip, false) && endpoint->ipv6)
      out.push_back({port.udp, host, port.host_port, *endpoint->ipv6, port.container_port});
  }
  return out;
}

// Our own publications are known by name; the socket that holds them would only name this daemon.
void NetworkManager::Impl::require_free(const PublishedPort& port) const {
  for (const auto& other : records.publications) {
    bool same = other.port.udp == port.udp && other.port.host_port == port.host_port && port.host_port != 0;
    bool meets = other.port.host_ip == port.host_ip || other.port.host_ip.empty() || port.host_ip.empty();
    if (same && meets)
      throw Error(ErrorKind::conflict,
                  fmt::format("port {}/{} is in use by container {}", port.host_port, port.udp ? "udp" : "tcp",
                              short_id(other.container)),
                  "publish on another port, or stop that container");
  }
}

void NetworkManager::Impl::name_addresses(const ContainerId& container, const std::string& otherwise,
                                          std::vector<PublishedPort>& ports) const {
  const auto* outward = way_out(container);
  if (outward == nullptr) return;
  const auto& own = records.networks.at(outward->network).options.publish_address;
  for (auto& port : ports) {
    if (port.host_ip.empty()) port.host_ip = own.empty() ? otherwise : own;
    if (port.host_ip == "*") port.host_ip.clear();
  }
}

bool NetworkManager::Impl::has_ports(const ContainerId& container) const {
  return std::any_of(records.publications.begin(), records.publications.end(),
                     [&](const auto& publication) { return publication.container == container; });
}

std::vector<PublicationRecord> NetworkManager::Impl::claim_ports(const ContainerId& container,
                                                                 const std::vector<PublishedPort>& ports) {
  const auto* outward = way_out(container);
  if (outward == nullptr)
    throw Error(ErrorKind::invalid,
                "container " + short_id(container) + ": ports cannot be published from an internal network",
                "attach it to a network that is not internal");
  std::vector<PublicationRecord> out;
  for (const auto& port : ports) {
    require_free(port);
    if (port.host_ip == "::1")
      throw Error(ErrorKind::unsupported,
                  fmt::format("port {}: the kernel cannot lead [::1] to a container", port.host_port),
                  "publish on 127.0.0.1, which clients of localhost try as well");
    if (!serves(port.host_ip, true) && !outward->ipv6)
      throw Error(ErrorKind::invalid, fmt::format("port {}: the container has no IPv6 address", port.host_port));
    out.push_back({container, outward->network, port, false});
  }
  records.publications.insert(records.publications.end(), out.begin(), out.end());
  return out;
}

task<std::vector<PublicationRecord>> NetworkManager::Impl::hold_ports(ContainerId container) {
  std::vector<PublicationRecord> claimed;
  for (const auto& publication : records.publications) {
    if (publication.container == container && !publication.open) claimed.push_back(publication);
  }
  auto hold_them = [claimed = std::move(claimed)]() mutable { return hold_all(std::move(claimed)); };
  Held held;
  std::exception_ptr failure;
  try {
    held = co_await pool.run(std::move(hold_them));
  } catch (...) {
    failure = std::current_exception();
  }
  std::erase_if(records.publications,
                [&](const auto& publication) { return publication.container == container && !publication.open; });
  if (failure) std::rethrow_exception(failure);
  records.publications.insert(records.publications.end(), held.publications.begin(), held.publications.end());
  auto& own = holds[container];
  for (auto& hold : held.holds) own.push_back(std::move(hold));
  co_return held.publications;
}

task<> NetworkManager::Impl::open_ports(ContainerId container) {
  std::vector<PortForward> forwards;
  std::vector<std::uint16_t> udp;
  for (auto& publication : records.publications) {
    if (publication.container != container || std::exchange(publication.open, true)) continue;
    for (auto& forward : forwards_of(publication)) forwards.push_back(std::move(forward));
    if (publication.port.udp) udp.push_back(publication.port.host_port);
  }
  co_await change_table(rules::add_forwards(instance, forwards));
  auto forget = [udp] { forget_udp_ports(udp); };
  if (!udp.empty()) co_await pool.run(std::move(forget));
}

task<std::vector<PublishedPort>> NetworkManager::Impl::publish(ContainerId container,
                                                               std::vector<PublishedPort> ports) {
  if (ports.empty()) co_return ports;
  const auto* outward = way_out(container);
  if (outward != nullptr && !outward->plugged)
    throw Error(ErrorKind::conflict, "container " + short_id(container) + " is not plugged in");
  claim_ports(container, ports);
  auto veth = outward->veth;
  auto made = co_await hold_ports(container);
  ports.clear();
  for (const auto& publication : made) ports.push_back(publication.port);
  std::exception_ptr failure;
  try {
    auto store_them = [made](store::Transaction& transaction) {
      for (const auto& publication : made) insert(transaction, publication);
    };
    co_await write(std::move(store_them));
    auto hairpin = [veth] { set_hairpin(veth); };
    co_await pool.run(std::move(hairpin));
    co_await open_ports(container);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    co_await unpublish(container);
    auto forget = [container](store::Transaction& transaction) { erase_publications(transaction, container); };
    co_await write(std::move(forget));
    std::rethrow_exception(failure);
  }
  co_return ports;
}

task<> NetworkManager::Impl::unpublish(ContainerId container) {
  std::vector<PortForward> forwards;
  for (auto& publication : records.publications) {
    if (publication.container != container || !std::exchange(publication.open, false)) continue;
    for (auto& forward : forwards_of(publication)) forwards.push_back(std::move(forward));
  }
  if (!forwards.empty()) co_await change_table(rules::remove_forwards(instance, forwards));
  std::erase_if(records.publications, [&](const auto& publication) { return publication.container == container; });
  holds.erase(container);
}

}  // namespace gantry::network
