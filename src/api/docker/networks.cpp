#include "bodies.h"
#include "create.h"
#include "describe.h"
#include "routes.h"

namespace gantry::api::docker {
namespace {

namespace bj = boost::json;
using network::NetworkInfo;

constexpr int kIpv4Flag = 48;  // EnableIPv4 came with 1.48
constexpr int kBareList = 28;  // lists say nothing of containers from 1.28 on
constexpr const char* kOption = "com.docker.network.bridge.";

std::string name_of(const NetworkInfo& info) { return docker_network(info.spec.name); }

bool is_predefined(const NetworkInfo& info) { return info.bridge.empty() || info.spec.name == engine::kDefaultNetwork; }

// Where Docker forbids and others see a conflict.
[[noreturn]] void forbid(const Error& error, const std::string& context = {}) {
  throw http::StatusError(403, error.kind(), context + error.message(), error.fix());
}

bj::object network_options(const NetworkInfo& info) {
  if (info.spec.name != engine::kDefaultNetwork) return labels_object(info.spec.options);
  std::string option = kOption;
  bj::object out{{option + "default_bridge", "true"},
                 {option + "enable_icc", "true"},
                 {option + "enable_ip_masquerade", "true"},
                 {option + "name", info.bridge}};
  return out;
}

bj::object pool(const NetworkInfo& info, bool v6) {
  bj::object out{{"Subnet", v6 ? info.subnet6 : info.subnet}, {"Gateway", v6 ? info.gateway6 : info.gateway}};
  for (const auto& wanted : info.spec.ipam) {
    if ((wanted.subnet.find(':') != std::string::npos) != v6) continue;
    if (!wanted.ip_range.empty()) out["IPRange"] = wanted.ip_range;
    if (!wanted.aux_addresses.empty()) out["AuxiliaryAddresses"] = labels_object(wanted.aux_addresses);
  }
  return out;
}

bj::object ipam_of(const NetworkInfo& info) {
  bj::value pools;
  if (!info.subnet.empty()) {
    pools = bj::array{pool(info, false)};
    if (!info.subnet6.empty()) pools.as_array().push_back(pool(info, true));
  }
  bj::value options;
  if (!info.spec.ipam_options.empty()) options = labels_object(info.spec.ipam_options);
  return {{"Driver", "default"}, {"Options", std::move(options)}, {"Config", std::move(pools)}};
}

std::string with_prefix(const std::string& address, int prefix) {
  return address.empty() ? address : address + "/" + std::to_string(prefix);
}

// `host` and `none` have no endpoints of their own: who is on them is known by the containers.
bj::object containers_of(Services& services, const NetworkInfo& info) {
  bj::object out;
  auto& engine = services.engine();
  auto add = [&](const engine::ContainerInfo& container, const engine::NetworkAddress& address) {
    out[container.id.str()] = bj::object{{"Name", container.spec.name},
                                         {"EndpointID", address.endpoint_id},
                                         {"MacAddress", address.mac},
                                         {"IPv4Address", with_prefix(address.ipv4, address.prefix4)},
                                         {"IPv6Address", with_prefix(address.ipv6, address.prefix6)}};
  };
  engine::ContainerFilter running;
  running.all = false;
  engine.for_each(running, [&](const engine::ContainerInfo& container) {
    for (const auto& address : container.addresses)
      if (address.network_id == info.id) add(container, address);
    if (!info.bridge.empty() || network_mode(container.spec) != info.spec.name) return;
    engine::NetworkAddress nowhere;
    nowhere.endpoint_id = container.id.str();  // none of its own
    add(container, nowhere);
  });
  return out;
}

bj::object describe(const NetworkInfo& info, int minor, bj::object containers) {
  bj::object out{{"Name", name_of(info)},
                 {"Id", info.id.str()},
                 {"Created", to_rfc3339(info.created)},
                 {"Scope", "local"},
                 {"Driver", info.spec.driver.empty() ? "bridge" : info.spec.driver}};
  if (minor >= kIpv4Flag) out["EnableIPv4"] = true;
  out["EnableIPv6"] = !info.subnet6.empty();
  out["IPAM"] = ipam_of(info);
  out["Internal"] = info.spec.internal;
  out["Attachable"] = info.spec.attachable;
  out["Ingress"] = info.spec.ingress;
  out["ConfigFrom"] = bj::object{{"Network", ""}};
  out["ConfigOnly"] = false;
  out["Containers"] = std::move(containers);
  out["Options"] = network_options(info);
  out["Labels"] = labels_object(info.spec.labels);
  return out;
}

// Docker has its default network from the start; ours is made when somebody looks for it.
task<std::vector<NetworkInfo>> all_networks(Services& services) {
  auto& networks = services.engine().networks();
  co_await shield<NetworkInfo>(services.changes, "make the network default", networks.ensure_default());
  auto out = networks.list();
  for (auto& info : networks.predefined()) out.push_back(std::move(info));
  co_return out;
}

task<NetworkInfo> find_network(Services& services, std::string reference) {
  auto& networks = services.engine().networks();
  if (reference == kBridge)
    co_await shield<NetworkInfo>(services.changes, "make the network default", networks.ensure_default());
  // By the beginning of an id, too, as long as it says which.
  std::optional<NetworkInfo> found;
  try {
    found = networks.inspect(reference);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
  }
  if (found) co_return *found;
  int matches = 0;
  auto all = co_await all_networks(services);
  for (auto& info : all) {
    if (reference.empty() || !info.id.str().starts_with(reference)) continue;
    ++matches;
    found = info;
  }
  if (matches > 1)
    throw Error(ErrorKind::invalid, "network " + reference + " is ambiguous (" + std::to_string(matches) +
                                        " matches found based on ID prefix)");
  if (matches == 0) throw Error(ErrorKind::not_found, "network " + reference + " not found");
  co_return *found;
}

bool type_matches(const Filters& filters, const NetworkInfo& info) {
  const auto& wanted = filters.all("type");
  for (const auto& type : wanted)
    if (type != "custom" && type != "builtin")
      throw Error(ErrorKind::invalid, "invalid filter: 'type'='" + type + "'", "use custom or builtin");
  return filters.match("type", is_predefined(info) ? "builtin" : "custom");
}

task<> list_networks(Services& services, Call call) {
  Filters filters(call.query(), {"dangling", "driver", "id", "label", "label!", "name", "scope", "type"});
  auto dangling = filters.flag("dangling");
  auto minor = minor_of(call);
  auto all = co_await all_networks(services);
  bj::array out;
  for (const auto& info : all) {
    bool idle = !is_predefined(info) && info.endpoints == 0;
    bool wanted = filters.match("driver", info.spec.driver) && filters.match("scope", "local") &&
                  filters.match_pattern("id", info.id.str()) && filters.match_pattern("name", name_of(info)) &&
                  filters.match_labels(info.spec.labels) && type_matches(filters, info) &&
                  (!dangling || *dangling == idle);
    if (!wanted) continue;
    out.push_back(describe(info, minor, minor < kBareList ? containers_of(services, info) : bj::object()));
  }
  co_await answer_json(call.exchange, 200, std::move(out));
}

task<> inspect_network(Services& services, Call call) {
  auto verbose = call.query().get("verbose");
  if (!verbose.empty() && verbose != "0" && verbose != "1" && verbose != "true" && verbose != "false")
    throw Error(ErrorKind::invalid, "invalid value for verbose: " + verbose, "use true or false");
  auto reference = call.parameter("id");
  auto info = co_await find_network(services, reference);
  auto scope = call.query().get("scope");
  if (!scope.empty() && scope != "local") throw Error(ErrorKind::not_found, "network " + reference + " not found");
  co_await answer_json(call.exchange, 200, describe(info, minor_of(call), containers_of(services, info)));
}

void tell(Services& services, std::string action, const NetworkInfo& info) {
  engine::Event event;
  event.time = now();
  event.type = "network";
  event.action = std::move(action);
  event.id = info.id.str();
  event.name = info.spec.name;
  event.attributes["type"] = info.spec.driver;
  services.engine().publish(std::move(event));
}

task<> create_network(Services& services, Call call) {
  auto object = co_await body_object(call.exchange);
  auto spec = network_spec(Body(object));
  *call.audited_object = spec.name;
  // As in Docker the default network is there already, under either name.
  if (spec.name == engine::kDefaultNetwork)
    throw Error(ErrorKind::conflict, "network with name default already exists", "it is what docker calls bridge");
  std::optional<NetworkInfo> info;
  try {
    auto work = services.engine().networks().create(std::move(spec));
    info = co_await shield<NetworkInfo>(services.changes, "create a network", std::move(work));
  } catch (const Error& error) {
    if (error.message().find("Pool overlaps") != std::string::npos) forbid(error);
    throw;
  }
  tell(services, "create", *info);
  bj::object out{{"Id", info->id.str()}, {"Warning", ""}};
  co_await answer_json(call.exchange, 201, std::move(out));
}

task<> remove_network(Services& services, Call call) {
  auto info = co_await find_network(services, call.parameter("id"));
  *call.audited_object = info.spec.name;
  if (is_predefined(info))
    throw Error(ErrorKind::denied, name_of(info) + " is a pre-defined network and cannot be removed");
  try {
    auto work = services.engine().networks().remove(info.id.str());
    co_await shield<void>(services.changes, "remove a network", std::move(work));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::conflict) forbid(error, "error while removing network: ");
    throw;
  }
  tell(services, "destroy", info);
  co_await answer_nothing(call.exchange);
}

task<> connect(Services& services, Call call) {
  auto object = co_await body_object(call.exchange);
  Body body(object);
  auto network = co_await find_network(services, call.parameter("id"));
  auto id = find_container(services, body.text("Container"));
  *call.audited_object = network.spec.name + " " + id.str();
  engine::NetworkAttachment attachment;
  attachment.network = network.spec.name;
  read_attachment(body.object("EndpointConfig"), &attachment);
  try {
    co_await services.engine().connect(id, std::move(attachment));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::conflict) forbid(error);
    throw;
  }
  co_await call.exchange.respond(200, "", "");
}

task<> disconnect(Services& services, Call call) {
  auto object = co_await body_object(call.exchange);
  Body body(object);
  auto network = co_await find_network(services, call.parameter("id"));
  auto id = find_container(services, body.text("Container"));
  *call.audited_object = network.spec.name + " " + id.str();
  try {
    co_await services.engine().disconnect(id, network.id.str());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) forbid(error);
    throw;
  }
  co_await call.exchange.respond(200, "", "");
}

task<> prune_networks(Services& services, Call call) {
  Filters filters(call.query(), {"until", "label", "label!"});
  auto until = filters.time("until");
  auto unwanted = [filters, until](const NetworkInfo& info) {
    return filters.match_labels(info.spec.labels) && (!until || info.created < *until);
  };
  auto work = services.engine().networks().prune(unwanted);
  auto removed = co_await shield<std::vector<NetworkInfo>>(services.changes, "remove unused networks", std::move(work));
  bj::value names;
  if (!removed.empty()) names.emplace_array();
  for (const auto& info : removed) {
    tell(services, "destroy", info);
    names.as_array().emplace_back(info.spec.name);
  }
  publish_prune(services, "network", 0);
  bj::object out{{"NetworksDeleted", std::move(names)}};
  co_await answer_json(call.exchange, 200, std::move(out));
}

}  // namespace

network::NetworkSpec network_spec(const Body& body) {
  network::NetworkSpec spec;
  spec.name = body.text("Name");
  if (spec.name.empty()) throw Error(ErrorKind::invalid, "invalid name: name is empty");
  if (body.flag("ConfigOnly") || !body.object("ConfigFrom").text("Network").empty())
    throw Error(ErrorKind::unsupported, "configuration-only networks are not supported",
                "give each network its own options");
  if (!body.maybe_flag("EnableIPv4").value_or(true))
    throw Error(ErrorKind::unsupported, "networks without IPv4 are not supported", "leave --ipv4=false out");
  if (body.text("Scope") == "swarm")
    throw Error(ErrorKind::unavailable, "This node is not a swarm manager.", "leave the scope out: networks are local");
  spec.driver = body.text("Driver");
  if (spec.driver.empty() || spec.driver == "default") spec.driver = "bridge";
  spec.internal = body.flag("Internal");
  spec.attachable = body.flag("Attachable");
  spec.ingress = body.flag("Ingress");
  spec.ipv6 = body.flag("EnableIPv6");
  spec.options = body.map("Options");
  spec.labels = body.map("Labels");
  auto ipam = body.object("IPAM");
  auto driver = ipam.text("Driver");
  if (!driver.empty() && driver != "default")
    throw Error(ErrorKind::not_found,
                "error looking up ipam plugin " + driver + ": plugin \"" + driver + "\" not found",
                "leave the IPAM driver out");
  spec.ipam_options = ipam.map("Options");
  for (const auto& pool : ipam.objects("Config")) {
    network::IpamPool wanted;
    wanted.subnet = pool.text("Subnet");
    wanted.gateway = pool.text("Gateway");
    wanted.ip_range = pool.text("IPRange");
    wanted.aux_addresses = pool.map("AuxiliaryAddresses");
    if (!wanted.subnet.empty() || !wanted.gateway.empty() || !wanted.ip_range.empty())
      spec.ipam.push_back(std::move(wanted));
  }
  // Docker takes an IPv6 subnet without EnableIPv6 for nothing; here it is what it says.
  return spec;
}

std::vector<Route> network_routes(Services& s) {
  constexpr auto kReads = Effect::reads;
  constexpr auto kChanges = Effect::changes;
  return {
      {"GET", "/networks", "network.list", kReads, {}, with(s, list_networks)},
      {"POST", "/networks/create", "network.create", kChanges, {}, with(s, create_network)},
      {"POST", "/networks/prune", "network.remove", kChanges, {}, with(s, prune_networks)},
      {"GET", "/networks/{id}", "network.read", kReads, {}, with(s, inspect_network)},
      {"DELETE", "/networks/{id}", "network.remove", kChanges, {}, with(s, remove_network)},
      {"POST", "/networks/{id}/connect", "network.connect", kChanges, {}, with(s, connect)},
      {"POST", "/networks/{id}/disconnect", "network.connect", kChanges, {}, with(s, disconnect)},
  };
}

}  // namespace gantry::api::docker
