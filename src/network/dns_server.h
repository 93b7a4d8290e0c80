#pragma once

#include <functional>
#include <map>
#include <memory>

#include "dns_message.h"
#include "gantry/base/async.h"
#include "records.h"
#include "resolvers.h"

/// Name service of containers: a UDP and a TCP listener on port 53 of every gateway address, on the control thread.
/// Only clients whose address lies in the listener's own subnet are answered.
namespace gantry::network {

class DnsServer {
 public:
  /// What a client in a network may see.
  using ViewOf = std::function<DnsView(const NetworkId& network, const Address& client)>;

  DnsServer(asio::any_io_executor executor, ViewOf view_of);
  ~DnsServer();

  /// Starts to listen for this network; it may listen already. Error conflict when another program has the address.
  void listen(const NetworkRecord& network);
  void stop(const NetworkId& network);
  task<> close();
  HostResolvers& resolvers();

 private:
  struct Listener;
  struct Shared;
  std::shared_ptr<Shared> shared_;
  Scope scope_;
  std::map<NetworkId, std::vector<std::shared_ptr<Listener>>> listeners_;
};

}  // namespace gantry::network
