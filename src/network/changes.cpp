#include <algorithm>

#include "manager.h"

// Networks of a container that runs. Its rows are changed first, by the caller; `settle` makes the kernel follow, from
// whatever it is like: so it is also what ends a change that a crash cut short.
namespace gantry::network {

task<Reservation> NetworkManager::Impl::plan_more(EndpointSpec spec) {
  ReservationSpec whole;
  whole.container = spec.container;
  whole.endpoints.push_back(std::move(spec));
  co_await ensure_default_for(whole.endpoints);
  auto state = std::make_unique<Reservation::State>();
  state->container = whole.container;
  state->undo = [this, raw = state.get()] { undo_endpoints(*raw); };
  auto* planned = state.get();
  Reservation out(std::move(state));
  co_await plan_when_swept(&whole, planned);
  co_return out;
}

task<> NetworkManager::Impl::withdraw(ContainerId container, NetworkId network) {
  auto own = records.endpoints.of(container);
  auto found = std::find_if(own.begin(), own.end(), [&](const auto* endpoint) { return endpoint->network == network; });
  if (found == own.end()) co_return;
  auto& endpoint = **found;
  endpoint.plugged = false;
  co_await close_ports(container, network);
  if (endpoint.linked) sweep(endpoint);
  records.endpoints.erase(endpoint.position);
  co_await sweeper.settled();
}

// The rules do not lead there any more; the ports stay claimed.
task<> NetworkManager::Impl::close_ports(ContainerId container, NetworkId network) {
  std::vector<PortForward> forwards;
  for (auto& publication : records.publications) {
    if (publication.container != container || publication.network != network) continue;
    if (!std::exchange(publication.open, false)) continue;
    for (auto& forward : forwards_of(publication)) forwards.push_back(std::move(forward));
  }
  if (!forwards.empty()) co_await change_table(rules::remove_forwards(instance, forwards));
}

task<std::vector<PublishedPort>> NetworkManager::Impl::settle(ContainerId container, Fd netns,
                                                              std::vector<PublishedPort> wanted,
                                                              std::string publish_address) {
  auto own = std::make_shared<Fd>(std::move(netns));
  co_await plug_missing(container, own);
  co_await settle_routes(container, own);
  name_addresses(container, publish_address, wanted);
  co_return co_await settle_ports(container, std::move(wanted));
}

task<> NetworkManager::Impl::plug_missing(ContainerId container, std::shared_ptr<Fd> netns) {
  std::vector<Plug> plugs;
  bool swept = false;
  for (auto& plug : plugs_of(container)) {
    if (plug.endpoint.plugged) continue;
    swept = swept || sweeper.busy(plug.endpoint.ipv4);
    plug.route4.reset();
    plug.route6.reset();
    plugs.push_back(std::move(plug));
  }
  if (plugs.empty()) co_return;
  if (swept) co_await sweeper.settled();
  auto make = [plugs, netns, link_mtu = mtu] {
    for (const auto& plug : plugs) {
      auto link = make_link(plug.endpoint.veth, plug.endpoint.interface, link_mtu, netns->get());
      attach_link(link, plug);
    }
  };
  std::exception_ptr failure;
  try {
    co_await pool.run(std::move(make));
  } catch (...) {
    failure = std::current_exception();
  }
  for (const auto& plug : plugs) {
    auto* endpoint = records.endpoints.at(plug.endpoint.network, plug.endpoint.ipv4);
    if (endpoint == nullptr) continue;
    endpoint->linked = true;
    endpoint->plugged = !failure;
    if (failure) sweep(*endpoint);
  }
  if (failure) std::rethrow_exception(failure);
}

task<> NetworkManager::Impl::settle_routes(ContainerId container, std::shared_ptr<Fd> netns) {
  WayOut way;
  if (const auto* outward = way_out(container)) {
    const auto& network = records.networks.at(outward->network);
    way.interface = outward->interface;
    way.gateway4 = network.gateway;
    way.gateway6 = network.gateway6;
  }
  auto set = [way, netns] { set_way_out(netns->get(), way); };
  co_await pool.run(std::move(set));
}

// A published port stays published on its host port when the way out changes; only where it leads to changes.
task<std::vector<PublishedPort>> NetworkManager::Impl::settle_ports(ContainerId container,
                                                                    std::vector<PublishedPort> wanted) {
  const auto* outward = way_out(container);
  if (outward == nullptr || wanted.empty()) {
    if (has_ports(container)) {
      co_await unpublish(container);
      auto forget = [container](store::Transaction& transaction) { erase_publications(transaction, container); };
      co_await write(std::move(forget));
    }
    co_return std::vector<PublishedPort>{};
  }
  if (!has_ports(container)) co_return co_await publish(container, std::move(wanted));
  co_await lead_ports_to(container, *outward);
  std::vector<PublishedPort> out;
  for (const auto& publication : records.publications)
    if (publication.container == container) out.push_back(publication.port);
  co_return out;
}

task<> NetworkManager::Impl::lead_ports_to(ContainerId container, EndpointRecord outward) {
  std::set<NetworkId> before;
  for (auto& publication : records.publications) {
    if (publication.container != container || publication.network == outward.network) continue;
    before.insert(publication.network);
  }
  if (before.empty()) co_return;
  for (const auto& network : before) co_await close_ports(container, network);
  for (auto& publication : records.publications) {
    if (publication.container != container) continue;
    publication.network = outward.network;
  }
  auto move = [container, network = outward.network](store::Transaction& transaction) {
    move_publications(transaction, container, network);
  };
  co_await write(std::move(move));
  auto hairpin = [veth = outward.veth] { set_hairpin(veth); };
  co_await pool.run(std::move(hairpin));
  co_await open_ports(container);
}

}  // namespace gantry::network
