#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "address.h"
#include "endpoint_table.h"
#include "gantry/network/network_manager.h"
#include "ipam.h"
#include "options.h"

/// The rows of the network module. Each type knows how it is written; the whole content is read once at start and
/// kept in memory, in step with the store.
namespace gantry::network {

struct NetworkRecord {
  NetworkId id;
  NetworkSpec spec;
  std::string bridge;
  Subnet v4;
  Address gateway;
  std::optional<Subnet> v6;
  std::optional<Address> gateway6;
  Timestamp created{};
  // Not stored:
  bool ready = true;  ///< neither being made nor being removed
  BridgeOptions options;
  AddressPlan plan4;
  std::optional<AddressPlan> plan6;

  /// Reads the last three from `spec` and the subnets. Error as parse_bridge_options and plan_addresses.
  void complete();
  int mtu_or(int otherwise) const { return options.mtu.value_or(otherwise); }
};

struct PublicationRecord {
  ContainerId container;
  NetworkId network;
  PublishedPort port;
  bool open = false;  ///< not stored: the rules lead to it
};

struct Records {
  std::map<NetworkId, NetworkRecord> networks;
  EndpointTable endpoints;
  std::vector<PublicationRecord> publications;
};

Records load(store::Transaction& transaction);
void insert(store::Transaction& transaction, const NetworkRecord& network);
void insert(store::Transaction& transaction, const EndpointRecord& endpoint);
void update_names(store::Transaction& transaction, const EndpointRecord& endpoint);
/// In the place of a row of a container that gave the port back already.
void insert(store::Transaction& transaction, const PublicationRecord& publication);
void erase_network(store::Transaction& transaction, const NetworkId& id);
void erase_endpoints(store::Transaction& transaction, const ContainerId& container);
void erase_endpoint(store::Transaction& transaction, const ContainerId& container, const NetworkId& network);
void move_publications(store::Transaction& transaction, const ContainerId& container, const NetworkId& network);
void erase_publications(store::Transaction& transaction, const ContainerId& container);

/// One value that the module remembers across restarts, such as its IPv6 prefix.
std::optional<std::string> setting(store::Transaction& transaction, std::string_view key);
void set_setting(store::Transaction& transaction, std::string_view key, std::string_view value);
void erase_setting(store::Transaction& transaction, std::string_view key);

}  // namespace gantry::network
