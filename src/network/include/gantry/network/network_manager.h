#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/base/fd.h"
#include "gantry/base/ids.h"
#include "gantry/base/time.h"
#include "gantry/network/types.h"
#include "gantry/store/store.h"

/// The network module owns bridges, addresses, veth pairs, the nftables table of this instance, published ports and
/// the DNS answers of containers. Several instances live side by side on a host: every name carries the instance's id
/// ("gt<instance>-..."), and subnets are chosen so that they overlap nothing that the host or another instance uses.
///
/// Nothing here knows containers beyond an id and names: the engine attaches and detaches endpoints.
namespace gantry::network {

store::Schema schema();

/// A veth pair made ahead of need: its peer is in a network namespace as `eth0`, still down, `lo` is up there, and its
/// host end stands alone. Whoever holds it hands it to `plan` or to `discard`. It also holds the namespace (by a socket
/// inside); the pair dies with the namespace, and after a crash `recover` sweeps it.
struct WarmLink {
  std::string veth;
  int host_index = 0;
  int peer_index = 0;
  Fd inside;  ///< a routing socket inside the namespace
};

/// Everything one start of a container wants of the network.
struct ReservationSpec {
  ContainerId container;
  std::vector<EndpointSpec> endpoints;  ///< in the order of their interfaces; `container` is filled in
  std::vector<PublishedPort> ports;     ///< lead to the way out; see `publish`
  std::string publish_address;          ///< of ports without one, unless the network of the way out has its own
  std::optional<WarmLink> link;         ///< becomes the first endpoint's link; its namespace must be the one plugged
};

/// Addresses, names, link names and host ports chosen for one container. They are taken in memory from the moment it
/// exists (ports are bound on the host), and given back by the destructor unless `keep` was called. So:
///   auto reservation = co_await networks.plan(spec);
///   ... one transaction of the caller: reservation.write(transaction) ...
///   reservation.keep();                    // committed
///   co_await networks.plug(container, netns);
/// Control thread, except `write`. Must not outlive the manager.
class Reservation {
 public:
  struct State;
  explicit Reservation(std::unique_ptr<State> state);
  Reservation(Reservation&&) noexcept;
  Reservation& operator=(Reservation&&) = delete;
  ~Reservation();

  const std::vector<EndpointInfo>& endpoints() const;  ///< as in the spec
  const std::vector<PublishedPort>& ports() const;     ///< as in the spec, with the chosen host ports
  /// The rows, inside the caller's transaction; from whatever thread that runs on.
  void write(store::Transaction& transaction) const;
  /// The transaction is committed: only `released` gives the reservation back from here on.
  void keep() noexcept;

 private:
  std::unique_ptr<State> state_;
};

/// All tasks run on the control thread and use the pool for what blocks. Endpoints and leases are in the store, so
/// that a restart of the daemon changes nothing for running containers.
class NetworkManager {
 public:
  NetworkManager(asio::any_io_executor executor, WorkerPool& pool, store::Database& database, std::string instance);
  ~NetworkManager();

  /// Makes kernel state equal to the store after a start: bridges, rules, ports of endpoints, DNS listeners; removes
  /// links, rules and tables of this instance that nothing owns. Endpoints not in `alive` are released.
  task<> recover(std::vector<ContainerId> alive);
  /// Stops DNS. Links and rules stay, so that containers go on working without the daemon.
  task<> close();
  /// For an instance that is wiped: removes the table, all bridges, and restores what was changed on the host.
  task<> remove_all();

  /// Error conflict when the name is taken, or a wanted subnet overlaps.
  task<NetworkInfo> create(NetworkSpec spec);
  /// The network `default`, made when it is not there.
  task<NetworkInfo> ensure_default();
  /// Removes the networks without endpoints that `unwanted` picks, `default` never; returns them.
  task<std::vector<NetworkInfo>> prune(std::function<bool(const NetworkInfo&)> unwanted);
  /// Error conflict while endpoints are attached.
  task<> remove(std::string name_or_id);
  /// By name, id, or twelve digits of it or more. `bridge` is `default`; also `host` and `none`. Error not_found.
  NetworkInfo inspect(const std::string& name_or_id) const;
  /// By name; without `host` and `none`, which have no bridge.
  std::vector<NetworkInfo> list() const;
  std::vector<NetworkInfo> predefined() const;

  // A start, in the caller's own transaction.
  /// Chooses everything the container needs and writes nothing; see Reservation. Makes the network `default` when it is
  /// wanted and not there. Waits only for that, or for a wanted address whose old link is still being swept. What the
  /// container holds already (a start that is repeated) is kept, with the new names.
  /// Error not_found (network), exhausted (subnet or bridge full), conflict (address or port taken; names by whom).
  task<Reservation> plan(ReservationSpec spec);
  /// Links of a kept reservation: made (or the warm one taken), moved into `netns`, with addresses and routes, `lo` up;
  /// ports lead to it and names answer from here on. When it fails nothing is left but the reservation.
  task<> plug(ContainerId container, const Fd& netns);
  /// For a container without any network: brings `lo` up.
  task<> plug_loopback(const Fd& netns);

  // A change while it runs, in the caller's own transaction.
  /// As `plan`, for an endpoint more; published ports stay. What the container has of that network already is kept.
  task<Reservation> plan_more(EndpointSpec spec);
  /// Inside the caller's transaction: the rows of one endpoint less. Any thread.
  static void erase_rows(store::Transaction& transaction, const ContainerId& container, const NetworkId& network);
  /// After that is committed: its names are silent, and its link is gone when this returns. Idempotent.
  task<> withdraw(ContainerId container, NetworkId network);
  /// Makes the kernel follow what is kept for a running container: links that are missing, the way out, and the ports
  /// `wanted`, which lead there. Returns them with their host ports; none when there is no way out. Idempotent, and
  /// what ends a change that a crash cut short.
  task<std::vector<PublishedPort>> settle(ContainerId container, const Fd& netns, std::vector<PublishedPort> wanted,
                                          std::string publish_address);
  /// What is kept for a container, in the order of reservation; or for a network.
  std::vector<EndpointInfo> endpoints_of(const ContainerId& container) const;
  std::vector<EndpointInfo> endpoints_of(const NetworkId& network) const;

  // An end, in the caller's own transaction.
  /// Names are silent and host ports free when it returns. The links go in the background, with the namespace or after
  /// it; the store is not touched and leases stay. Idempotent, also for a container that was never plugged.
  task<> unplug(ContainerId container);
  /// After `unplug`, inside the caller's transaction: deletes the rows of leases and ports. Any thread.
  static void erase_rows(store::Transaction& transaction, const ContainerId& container);
  /// After that is committed: the addresses may be leased again (once their links are swept). Idempotent.
  void released(const ContainerId& container);

  // A link made ahead, for a pool of warm namespaces.
  task<WarmLink> prepare_link(Fd netns);
  /// Removes the pair, in the background.
  void discard(WarmLink link);
  /// Until every link that was unplugged or discarded is gone from the host.
  task<> settled();

  // The same with transactions of their own.
  /// `plan` for one endpoint, written and kept.
  task<EndpointInfo> reserve(EndpointSpec spec);
  /// Publishes ports of a plugged container; returns them with the chosen host ports. Error conflict names the port
  /// and, where known, who holds it. No user-space proxy; the client's source address is kept.
  task<std::vector<PublishedPort>> publish(ContainerId container, std::vector<PublishedPort> ports);
  /// `unplug`, `erase_rows` and `released`. Idempotent.
  task<> release(ContainerId container);

  /// From here on these names, in the order of its interfaces, and no others answer with its addresses. To be written
  /// in the caller's transaction, right after.
  std::function<void(store::Transaction&)> rename(const ContainerId& container,
                                                  const std::vector<std::vector<std::string>>& names);

  /// For /etc/resolv.conf in the container: the nameserver addresses and search line of its first network.
  std::string resolv_conf(const ContainerId& container) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::network
