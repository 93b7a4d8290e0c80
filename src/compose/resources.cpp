#include "resources.h"

#include <algorithm>

namespace gantry::compose {

namespace {

struct NetworkDraft {
  Network network;
  std::string driver;
};

struct Ipam {
  std::string model_path;  ///< "networks.back"
  std::vector<AddressPool> pools;
  std::string driver;
};

constexpr Key<AddressPool> kPoolKeys[] = {
    {"subnet", into<&AddressPool::subnet>},
    {"gateway", into<&AddressPool::gateway>},
    {"ip_range", into<&AddressPool::ip_range>},
    {"aux_addresses"},
};

void read_pools(const Value& value, Ipam& ipam) {
  if (!value.node().is_sequence()) return value.wrong_type("a list of address pools");
  for (std::size_t i = 0; i < value.node().items.size(); ++i) {
    AddressPool pool;
    if (!read_keys<AddressPool>(value.at(i), kPoolKeys, pool)) continue;
    if (pool.subnet.empty()) value.at(i).invalid("the key 'subnet' is missing");
    value.at(i).writes(fmt::format("{}.pools[{}]", ipam.model_path, ipam.pools.size()));
    ipam.pools.push_back(std::move(pool));
  }
}

constexpr Key<Ipam> kIpamKeys[] = {
    {"config", read_pools},
    {"driver", into<&Ipam::driver>},
    {"options"},
};

/// `external: true`, and the form of old files `external: {name: X}`.
template <class Resource>
void read_external(const Value& value, Resource& resource) {
  if (!value.node().is_mapping()) {
    value.read(resource.external);
    return;
  }
  static constexpr Key<Resource> kNameKey[] = {{"name", into<&Resource::name>}};
  resource.external = true;
  value.warn("'external: {name: ...}' is obsolete: use 'external: true' and 'name: ...'");
  read_keys<Resource>(value, kNameKey, resource);
}

constexpr Key<NetworkDraft> kNetworkKeys[] = {
    {"name", into<&NetworkDraft::network, &Network::name>},
    {"external", [](const Value& value, NetworkDraft& draft) { read_external(value, draft.network); }},
    {"internal", into<&NetworkDraft::network, &Network::internal>},
    {"enable_ipv6", into<&NetworkDraft::network, &Network::enable_ipv6>},
    {"attachable", into<&NetworkDraft::network, &Network::attachable>},
    {"labels", into<&NetworkDraft::network, &Network::labels>},
    {"driver", into<&NetworkDraft::driver>},
    {"ipam",
     [](const Value& value, NetworkDraft& draft) {
       Ipam ipam{.model_path = value.path().substr(0, value.path().rfind('.'))};
       read_keys<Ipam>(value, kIpamKeys, ipam);
       if (!ipam.driver.empty() && ipam.driver != "default")
         value.unsupported(fmt::format("Gantry does not support the address driver '{}' yet", ipam.driver));
       draft.network.pools = std::move(ipam.pools);
     }},
    {"driver_opts"},
    {"enable_ipv4"},
};

constexpr Key<Volume> kVolumeKeys[] = {
    {"name", into<&Volume::name>},
    {"external", [](const Value& value, Volume& volume) { read_external(value, volume); }},
    {"driver", into<&Volume::driver>},
    {"driver_opts", into<&Volume::driver_opts>},
    {"labels", into<&Volume::labels>},
};

/// An external resource is described elsewhere: only its name may be said here.
void check_external(const Value& value) {
  for (const auto& entry : value.node().entries) {
    if (entry.key != "name" && entry.key != "external" && !entry.key.starts_with("x-") && !entry.value.is_null())
      value.reader().findings.invalid(
          entry.place, fmt::format("{}: '{}' and 'external' exclude each other", value.path(), entry.key));
  }
}

void read_network(const Value& value, const std::string& key, Stack& stack) {
  NetworkDraft draft;
  if (!value.node().is_null()) read_keys<NetworkDraft>(value, kNetworkKeys, draft);
  auto& network = draft.network;
  if (network.external) check_external(value);
  if (network.name.empty()) network.name = network.external ? key : fmt::format("{}_{}", stack.name, key);
  if (!draft.driver.empty() && draft.driver != "bridge" && draft.driver != "default")
    value.find("driver")->unsupported(fmt::format("Gantry does not support the network driver '{}' yet", draft.driver));
  stack.networks[key] = std::move(network);
}

void read_volume(const Value& value, const std::string& key, Stack& stack) {
  Volume volume;
  if (!value.node().is_null()) read_keys<Volume>(value, kVolumeKeys, volume);
  if (volume.external) check_external(value);
  if (volume.name.empty()) volume.name = volume.external ? key : fmt::format("{}_{}", stack.name, key);
  if (volume.driver != "local")
    value.find("driver")->unsupported(fmt::format("Gantry does not support the volume driver '{}' yet", volume.driver));
  stack.volumes[key] = std::move(volume);
}

template <class Read>
void for_each_named(const Value& value, Read read, Stack& stack) {
  if (!value.node().is_mapping()) return value.wrong_type("a mapping");
  for (const auto& entry : value.node().entries) read(value.at(entry), entry.key, stack);
}

}  // namespace

void read_stack_networks(const Value& value, Stack& stack) { for_each_named(value, read_network, stack); }
void read_stack_volumes(const Value& value, Stack& stack) { for_each_named(value, read_volume, stack); }

void add_default_network(Stack& stack) {
  bool is_used =
      std::ranges::any_of(stack.services, [](const auto& item) { return item.second.networks.contains("default"); });
  if (is_used && !stack.networks.contains("default")) stack.networks["default"] = {.name = stack.name + "_default"};
}

}  // namespace gantry::compose
