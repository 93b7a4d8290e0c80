#include <charconv>

#include "api.h"
#include "command.h"
#include "format.h"
#include "gather.h"
#include "parse.h"
#include "table.h"

namespace gantry::cli {
namespace {

struct NetworkLs {
  bool quiet = false;
};

void declare_network_ls(Options& options, NetworkLs& ls) { options.flag("-q,--quiet", ls.quiet, "names only"); }

task<int> network_ls(Context& context, NetworkLs flags) {
  auto answer = co_await api::get(context.client, "/v1/networks");
  if (context.json()) {
    context.print(answer);
    co_return 0;
  }
  Table table({"NAME", "ID", "SUBNET", "IPV6", "BRIDGE", "ENDPOINTS"});
  std::string names;
  for (const auto& network : json::from<std::vector<api::Network>>(answer)) {
    names += network.spec.name + "\n";
    table.add({network.spec.name, short_digest(network.id), network.subnet, network.subnet6, network.bridge,
               std::to_string(network.endpoints)});
  }
  context.console.out(flags.quiet ? names : table.text());
  co_return 0;
}

struct NetworkNames {
  std::vector<std::string> names;
};

void declare_network_names(Options& options, NetworkNames& request) { options.rest("NETWORK", request.names, true); }

task<int> network_inspect(Context& context, NetworkNames request) {
  boost::json::array all;
  for (auto name : request.names) {
    auto network = co_await api::get(context.client, api::path("networks", name));
    all.push_back(std::move(network));
  }
  context.print(all);
  co_return 0;
}

task<> remove_network(Context& context, std::string name) {
  co_await api::remove(context.client, api::path("networks", name));
}

task<int> network_rm(Context& context, NetworkNames request) {
  return for_each_name(context, request.names, remove_network);
}

struct NetworkCreate {
  api::NetworkSpec spec;
  bool no_ipv6 = false;
  std::vector<std::string> labels;
  std::vector<std::string> subnets;
  std::vector<std::string> gateways;
  std::vector<std::string> ranges;
  std::vector<std::string> others;
  std::vector<std::string> options;
};

void declare_network_create(Options& options, NetworkCreate& create) {
  options.list("--subnet", "CIDR", create.subnets, "subnet, one for IPv4 and one for IPv6 (chosen when left out)")
      .list("--gateway", "ADDRESS", create.gateways, "address of the gateway in it")
      .list("--ip-range", "CIDR", create.ranges, "addresses are chosen from this part of the subnet")
      .list("--aux-address", "NAME=ADDRESS", create.others, "an address of another machine, never given away")
      .list("-o,--opt", "KEY=VALUE", create.options, "an option of Docker's bridge driver")
      .flag("--internal", create.spec.internal, "no way out, no published ports")
      .flag("--no-ipv6", create.no_ipv6, "IPv4 only")
      .list("--label", "KEY=VALUE", create.labels, "set a label")
      .required("NAME", create.spec.name);
}

bool is_v6(const std::string& text) { return text.find(':') != std::string::npos; }

// Gateways, ranges and addresses belong to the subnet of their family.
std::vector<api::IpamPool> pools_of(const NetworkCreate& request) {
  std::vector<api::IpamPool> out;
  for (const auto& subnet : request.subnets) out.push_back({.subnet = subnet});
  auto pool = [&](const char* option, const std::string& text) -> api::IpamPool& {
    for (auto& one : out)
      if (is_v6(one.subnet) == is_v6(text)) return one;
    throw Error(ErrorKind::invalid, std::string(option) + " " + text + ": there is no subnet it could belong to",
                "give --subnet, too");
  };
  for (const auto& text : request.gateways) pool("--gateway", text).gateway = text;
  for (const auto& text : request.ranges) pool("--ip-range", text).ip_range = text;
  for (const auto& [name, text] : parse_pairs(request.others, "--aux-address"))
    pool("--aux-address", text).aux_addresses[name] = text;
  return out;
}

struct Connect {
  std::string network;
  api::Connection connection;
  std::optional<std::string> priority;
};

void declare_connect(Options& options, Connect& connect) {
  auto& attachment = connect.connection.attachment;
  options.value("--ip", "ADDRESS", attachment.ipv4, "IPv4 address (chosen when left out)")
      .value("--ip6", "ADDRESS", attachment.ipv6, "IPv6 address (chosen when left out)")
      .value("--mac-address", "ADDRESS", attachment.mac, "link address")
      .list("--alias", "NAME", attachment.aliases, "a further name others of the network find it by")
      .value("--gw-priority", "N", connect.priority, "the network with the highest is the way out")
      .required("NETWORK", connect.network)
      .required("CONTAINER", connect.connection.container);
}

task<int> connect(Context& context, Connect request) {
  if (request.priority) {
    const auto& text = *request.priority;
    auto& priority = request.connection.attachment.gateway_priority;
    auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), priority);
    if (failed != std::errc() || end != text.data() + text.size())
      throw Error(ErrorKind::invalid, "--gw-priority: '" + text + "' is not a whole number");
  }
  co_await api::post_json(context.client, api::path("networks", request.network, "connect"),
                          json::to(request.connection));
  co_return 0;
}

struct Disconnect {
  std::string network;
  std::string container;
};

void declare_disconnect(Options& options, Disconnect& request) {
  options.required("NETWORK", request.network).required("CONTAINER", request.container);
}

task<int> disconnect(Context& context, Disconnect request) {
  boost::json::object body;
  body["container"] = request.container;
  co_await api::post_json(context.client, api::path("networks", request.network, "disconnect"), body);
  co_return 0;
}

struct NetworkPrune {
  std::vector<std::string> labels;
};

void declare_network_prune(Options& options, NetworkPrune& prune) {
  options.list("--label", "KEY=VALUE", prune.labels, "only those with this label");
}

task<int> network_prune(Context& context, NetworkPrune request) {
  http::Query query;
  for (const auto& label : request.labels) query.add("label", label);
  auto answer = co_await api::post_json(context.client, "/v1/networks/prune", {}, query);
  std::string names;
  for (const auto& name : json::from<api::Pruned>(answer).removed) names += name + "\n";
  if (context.json()) context.print(answer);
  if (!context.json()) context.console.out(names);
  co_return 0;
}

task<int> network_create(Context& context, NetworkCreate request) {
  request.spec.ipv6 = !request.no_ipv6;
  request.spec.labels = parse_pairs(request.labels, "--label");
  request.spec.options = parse_pairs(request.options, "--opt");
  request.spec.ipam = pools_of(request);
  auto network = co_await api::post_json(context.client, "/v1/networks", json::to(request.spec));
  if (context.json()) context.print(network);
  if (!context.json()) context.console.out(std::string(network.at("id").as_string()) + "\n");
  co_return 0;
}

}  // namespace

std::vector<Command> network_commands() {
  return {
      {"network ls", "List networks", {"gantry network ls"}, prepare<NetworkLs, declare_network_ls, network_ls>},
      {"network create",
       "Create a network",
       {"gantry network create --subnet 10.5.0.0/24 backend"},
       prepare<NetworkCreate, declare_network_create, network_create>},
      {"network inspect",
       "Show everything about networks, as JSON",
       {"gantry network inspect guestbook_default"},
       prepare<NetworkNames, declare_network_names, network_inspect>},
      {"network rm",
       "Remove networks",
       {"gantry network rm backend"},
       prepare<NetworkNames, declare_network_names, network_rm>},
      {"network connect",
       "Connect a container to a network, also while it runs",
       {"gantry network connect --alias db backend postgres"},
       prepare<Connect, declare_connect, connect>},
      {"network disconnect",
       "Disconnect a container from a network",
       {"gantry network disconnect backend postgres"},
       prepare<Disconnect, declare_disconnect, disconnect>},
      {"network prune",
       "Remove the networks no running container is on",
       {"gantry network prune"},
       prepare<NetworkPrune, declare_network_prune, network_prune>},
  };
}

}  // namespace gantry::cli
