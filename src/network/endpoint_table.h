#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "address.h"
#include "gantry/network/network_manager.h"

namespace gantry::network {

struct EndpointRecord {
  std::string id;  ///< 64 hexadecimal digits
  ContainerId container;
  NetworkId network;
  std::int64_t position = 0;  ///< order in which the container's endpoints were reserved
  std::string veth;
  std::string interface;
  Address ipv4;
  std::optional<Address> ipv6;
  std::string mac;
  int priority = 0;
  std::vector<std::string> names;
  // Not stored:
  bool plugged = false;            ///< the link is up and names answer
  bool linked = false;             ///< a link of this name may be on the host
  std::shared_ptr<WarmLink> warm;  ///< the link, made ahead and not used yet
};

/// The endpoints of all containers, found by what they are asked for: a host with a thousand of them answers a DNS
/// question, and leases an address, as fast as one with ten. Records stay where they are until they are erased; what
/// they are found by changes only through the table.
class EndpointTable {
 public:
  using ByPosition = std::map<std::int64_t, EndpointRecord>;
  ByPosition::const_iterator begin() const { return records_.begin(); }
  ByPosition::const_iterator end() const { return records_.end(); }

  EndpointRecord& add(EndpointRecord record);
  void erase(std::int64_t position);
  /// A network that has no endpoints and will have none.
  void forget(const NetworkId& network);
  void rename(EndpointRecord& record, std::vector<std::string> names);

  /// In the order of their positions.
  const std::vector<EndpointRecord*>& of(const ContainerId& container) const;
  EndpointRecord* at(const NetworkId& network, const Address& address) const;
  /// `name` in lower case.
  std::vector<const EndpointRecord*> named(const NetworkId& network, const std::string& name) const;
  std::size_t count(const NetworkId& network) const;
  /// The IPv4 address that was leased last.
  std::optional<Address> last(const NetworkId& network) const;
  std::int64_t next_position() const { return next_position_; }

 private:
  struct Shelf {
    std::map<Address, EndpointRecord*> by_address;
    std::unordered_multimap<std::string, const EndpointRecord*> by_name;
    std::size_t count = 0;
    std::optional<Address> last;
  };
  const Shelf* shelf(const NetworkId& network) const;
  void forget_names(const EndpointRecord& record);

  ByPosition records_;
  std::unordered_map<ContainerId, std::vector<EndpointRecord*>> by_container_;
  std::map<NetworkId, Shelf> shelves_;
  std::int64_t next_position_ = 1;
};

}  // namespace gantry::network
