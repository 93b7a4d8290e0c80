#include <fmt/format.h>

#include <algorithm>

#include "manager.h"
#include "subnet_pool.h"

namespace gantry::network {
namespace {

std::string veth_name(const std::string& instance) { return veth_prefix(instance) + random_hex(8); }

void require_room(const NetworkRecord& network, std::size_t endpoints) {
  if (endpoints < kBridgePorts) return;
  throw Error(ErrorKind::exhausted,
              fmt::format("network {} has {} containers, and the kernel lets a bridge have no more", network.spec.name,
                          endpoints),
              "put further containers on another network, see 'gantry network create'");
}

Address wanted_address(const NetworkRecord& network, const Subnet& subnet, const std::string& text) {
  auto address = parse_address("address in network " + network.spec.name, text);
  if (!subnet.contains(address))
    throw Error(ErrorKind::invalid, fmt::format("no configured subnet contains IP address {}: network {} has {}", text,
                                                network.spec.name, subnet.text()));
  return address;
}

std::string wanted_mac(const EndpointTable& endpoints, const NetworkRecord& network, const std::string& text) {
  auto mac = parse_mac(text);
  for (const auto& [position, other] : endpoints)
    if (other.network == network.id && other.mac == mac)
      throw Error(ErrorKind::conflict, fmt::format("link address {} is taken on network {} by container {}", mac,
                                                   network.spec.name, short_id(other.container)));
  return mac;
}

std::string free_interface(const std::vector<EndpointRecord*>& own, const std::string& prefix) {
  for (int n = 0;; ++n) {
    auto name = fmt::format("{}{}", prefix, n);
    if (std::none_of(own.begin(), own.end(), [&](const auto* e) { return e->interface == name; })) return name;
  }
}

}  // namespace

const NetworkRecord& NetworkManager::Impl::require_ready(const std::string& name_or_id) const {
  const auto& network = require(name_or_id);
  if (!network.ready)
    throw Error(ErrorKind::conflict, "network " + network.spec.name + " is being made or removed at this moment",
                "try again");
  return network;
}

// IPv6 takes the number of the IPv4 address within its subnet, so that the two are easily told to belong together.
EndpointRecord NetworkManager::Impl::lease(const NetworkRecord& network, const EndpointSpec& spec) const {
  const auto& endpoints = records.endpoints;
  require_room(network, endpoints.count(network.id));
  auto leased = [&](const AddressPlan& plan, const std::optional<std::string>& wanted, std::uint64_t after) {
    auto taken = [&](const Address& address) { return endpoints.at(network.id, address) != nullptr; };
    if (wanted) {
      auto address = wanted_address(network, plan.subnet, *wanted);
      if (!is_usable(plan, address) || taken(address))
        throw Error(ErrorKind::conflict,
                    fmt::format("Address already in use: {} of network {} is taken", *wanted, network.spec.name));
      return address;
    }
    auto unfit = [&](const Address& address) { return taken(address) || sweeper.busy(address); };
    auto address = next_address(plan, unfit, after);
    if (address) return *address;
    throw Error(
        ErrorKind::exhausted,
        fmt::format("no available IPv4 addresses on this network's address pools: network {}: every address of {} is "
                    "leased",
                    network.spec.name, plan.choose_from().text()),
        "put further containers on another network; 'gantry network create --subnet' makes one with a larger subnet");
  };
  EndpointRecord out;
  out.container = spec.container;
  out.network = network.id;
  out.position = endpoints.next_position();
  auto last = endpoints.last(network.id);
  const auto& from = network.plan4.choose_from();
  out.ipv4 = leased(network.plan4, spec.ipv4, last && from.contains(*last) ? index_in(from, *last) : 0);
  if (network.plan6) {
    auto number = index_in(network.v4, out.ipv4) % network.plan6->choose_from().size();
    out.ipv6 = leased(*network.plan6, spec.ipv6, number == 0 ? 0 : number - 1);
  } else if (spec.ipv6) {
    throw Error(ErrorKind::invalid, fmt::format("no configured subnet contains IP address {}: network {} has no IPv6",
                                                *spec.ipv6, network.spec.name));
  }
  out.id = random_hex(64);
  out.veth = veth_name(instance);
  out.mac = spec.mac ? wanted_mac(endpoints, network, *spec.mac) : mac_for(out.ipv4);
  out.interface = spec.interface.empty()
                      ? free_interface(endpoints.of(spec.container), network.options.interface_prefix)
                      : spec.interface;
  out.priority = spec.priority;
  out.names = spec.names;
  return out;
}

task<> NetworkManager::Impl::ensure_default_for(const std::vector<EndpointSpec>& endpoints) {
  bool wanted = std::any_of(endpoints.begin(), endpoints.end(), [](const EndpointSpec& endpoint) {
    return endpoint.network == kDefaultNetwork || endpoint.network == kDockersDefault;
  });
  if (!wanted) co_return;
  const auto* known = find(kDefaultNetwork);
  if (known != nullptr && known->ready) co_return;
  auto guard_turn = co_await turn.lock();
  if (find(kDefaultNetwork) != nullptr) co_return;
  NetworkSpec fresh;
  fresh.name = kDefaultNetwork;
  co_await create_in_turn(std::move(fresh));
}

// From here to the end of the function there is no co_await, so nobody else leases in between.
void NetworkManager::Impl::plan_endpoints(ReservationSpec& spec, Reservation::State& state) {
  for (auto& wanted : spec.endpoints) {
    wanted.container = spec.container;
    const auto& network = require_ready(wanted.network);
    const auto& own = records.endpoints.of(spec.container);
    auto known = std::find_if(own.begin(), own.end(), [&](const auto* e) { return e->network == network.id; });
    if (known != own.end()) {
      records.endpoints.rename(**known, wanted.names);
      state.renamed.push_back(**known);
      state.endpoints.push_back(info_of(**known));
      continue;
    }
    auto endpoint = lease(network, wanted);
    if (spec.link) {
      endpoint.veth = spec.link->veth;
      state.made.push_back(endpoint);
      endpoint.warm = std::make_shared<WarmLink>(std::move(*spec.link));
      endpoint.linked = true;
      spec.link.reset();
    } else {
      state.made.push_back(endpoint);
    }
    state.endpoints.push_back(info_of(endpoint));
    records.endpoints.add(std::move(endpoint));
  }
}

void NetworkManager::Impl::undo(const Reservation::State& state) {
  std::erase_if(records.publications,
                [&](const auto& publication) { return publication.container == state.container; });
  holds.erase(state.container);
  undo_endpoints(state);
}

void NetworkManager::Impl::undo_endpoints(const Reservation::State& state) {
  for (const auto& made : state.made) {
    auto* endpoint = records.endpoints.at(made.network, made.ipv4);
    if (endpoint != nullptr && endpoint->linked) sweep(*endpoint);
    records.endpoints.erase(made.position);
  }
}

task<> NetworkManager::Impl::plan_when_swept(ReservationSpec* spec, Reservation::State* state) {
  bool again = false;
  try {
    plan_endpoints(*spec, *state);
  } catch (const Error& error) {
    // Addresses that are being swept are free again in a moment.
    if (error.kind() != ErrorKind::exhausted || sweeper.size() == 0) throw;
    again = true;
  }
  if (!again) co_return;
  co_await sweeper.settled();
  state->endpoints.clear();
  state->renamed.clear();
  plan_endpoints(*spec, *state);
}

task<Reservation> NetworkManager::Impl::plan(ReservationSpec spec) {
  co_await ensure_default_for(spec.endpoints);
  // What a start that failed left: ports that are to be published anew.
  if (has_ports(spec.container)) co_await unpublish(spec.container);
  auto container = spec.container;
  auto state = std::make_unique<Reservation::State>();
  state->container = container;
  state->undo = [this, raw = state.get()] { undo(*raw); };
  auto* planned = state.get();
  Reservation out(std::move(state));
  co_await plan_when_swept(&spec, planned);
  // Nobody wants it: the container has no network, or a link from before.
  if (spec.link) sweeper.add(std::move(spec.link->veth), {});
  if (!spec.ports.empty()) {
    name_addresses(container, spec.publish_address, spec.ports);
    planned->publications = claim_ports(container, spec.ports);
    planned->publications = co_await hold_ports(container);
    for (const auto& publication : planned->publications) planned->ports.push_back(publication.port);
  }
  co_return out;
}

task<EndpointInfo> NetworkManager::Impl::reserve(EndpointSpec spec) {
  ReservationSpec whole;
  whole.container = spec.container;
  whole.endpoints.push_back(std::move(spec));
  auto reservation = co_await plan(std::move(whole));
  auto store_it = [&reservation](store::Transaction& transaction) { reservation.write(transaction); };
  co_await write(store_it);
  reservation.keep();
  co_return reservation.endpoints().front();
}

}  // namespace gantry::network
