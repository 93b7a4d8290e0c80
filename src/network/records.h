#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "address.h"
#include "gantry/network/network_manager.h"

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
};

struct EndpointRecord {
  ContainerId container;
  NetworkId network;
  std::int64_t position = 0;  ///< order in which the container's endpoints were reserved
  std::string veth;
  std::string interface;
  Address ipv4;
  std::optional<Address> ipv6;
  std::string mac;
  bool default_route = true;
  std::vector<std::string> names;
  bool plugged = false;  ///< not stored: the veth pair is there
};

struct PublicationRecord {
  ContainerId container;
  NetworkId network;
  PublishedPort port;
};

struct Records {
  std::map<NetworkId, NetworkRecord> networks;
  std::vector<EndpointRecord> endpoints;  ///< ordered by position
  std::vector<PublicationRecord> publications;
};

Records load(store::Transaction& transaction);
void insert(store::Transaction& transaction, const NetworkRecord& network);
void insert(store::Transaction& transaction, const EndpointRecord& endpoint);
void update_names(store::Transaction& transaction, const EndpointRecord& endpoint);
void insert(store::Transaction& transaction, const PublicationRecord& publication);
void erase_network(store::Transaction& transaction, const NetworkId& id);
void erase_endpoints(store::Transaction& transaction, const ContainerId& container);
void erase_publications(store::Transaction& transaction, const ContainerId& container);

/// One value that the module remembers across restarts, such as its IPv6 prefix.
std::optional<std::string> setting(store::Transaction& transaction, std::string_view key);
void set_setting(store::Transaction& transaction, std::string_view key, std::string_view value);
void erase_setting(store::Transaction& transaction, std::string_view key);

}  // namespace gantry::network
