#include "api.h"
#include "command.h"
#include "format.h"
#include "gather.h"
#include "parse.h"
#include "table.h"

namespace gantry::cli {
namespace {

struct Ls {
  bool quiet = false;
};

void declare_ls(Options& options, Ls& ls) { options.flag("-q,--quiet", ls.quiet, "names only"); }

task<int> ls(Context& context, Ls flags) {
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

struct Names {
  std::vector<std::string> names;
};

void declare_names(Options& options, Names& request) { options.rest("NETWORK", request.names, true); }

task<int> inspect(Context& context, Names request) {
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

task<int> rm(Context& context, Names request) { return for_each_name(context, request.names, remove_network); }

struct Create {
  api::NetworkSpec spec;
  bool no_ipv6 = false;
  std::vector<std::string> labels;
};

void declare_create(Options& options, Create& create) {
  options.value("--subnet", "CIDR", create.spec.subnet, "IPv4 subnet (chosen when left out)")
      .value("--gateway", "ADDRESS", create.spec.gateway, "address of the gateway in it")
      .flag("--internal", create.spec.internal, "no way out, no published ports")
      .flag("--no-ipv6", create.no_ipv6, "IPv4 only")
      .list("--label", "KEY=VALUE", create.labels, "set a label")
      .required("NAME", create.spec.name);
}

task<int> create(Context& context, Create request) {
  request.spec.ipv6 = !request.no_ipv6;
  request.spec.labels = parse_pairs(request.labels, "--label");
  auto network = co_await api::post_json(context.client, "/v1/networks", json::to(request.spec));
  if (context.json()) context.print(network);
  if (!context.json()) context.console.out(std::string(network.at("id").as_string()) + "\n");
  co_return 0;
}

}  // namespace

std::vector<Command> network_commands() {
  return {
      {"network ls", "List networks", {"gantry network ls"}, prepare<Ls, declare_ls, ls>},
      {"network create",
       "Create a network",
       {"gantry network create --subnet 10.5.0.0/24 backend"},
       prepare<Create, declare_create, create>},
      {"network inspect",
       "Show everything about networks, as JSON",
       {"gantry network inspect guestbook_default"},
       prepare<Names, declare_names, inspect>},
      {"network rm", "Remove networks", {"gantry network rm backend"}, prepare<Names, declare_names, rm>},
  };
}

}  // namespace gantry::cli
