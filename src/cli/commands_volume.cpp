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
  auto answer = co_await api::get(context.client, "/v1/volumes");
  if (context.json()) {
    context.print(answer);
    co_return 0;
  }
  Table table({"NAME", "KIND", "CREATED", "PATH"});
  std::string names;
  for (const auto& volume : json::from<std::vector<api::Volume>>(answer)) {
    names += volume.name + "\n";
    table.add({volume.name, volume.anonymous ? "anonymous" : "named", ago(volume.created, now()), volume.path});
  }
  context.console.out(flags.quiet ? names : table.text());
  co_return 0;
}

struct Names {
  std::vector<std::string> names;
};

void declare_names(Options& options, Names& request) { options.rest("VOLUME", request.names, true); }

task<int> inspect(Context& context, Names request) {
  boost::json::array all;
  for (auto name : request.names) {
    auto volume = co_await api::get(context.client, api::path("volumes", name));
    all.push_back(std::move(volume));
  }
  context.print(all);
  co_return 0;
}

task<> remove_volume(Context& context, std::string name) {
  co_await api::remove(context.client, api::path("volumes", name));
}

task<int> rm(Context& context, Names request) { return for_each_name(context, request.names, remove_volume); }

struct Create {
  std::string name;
  std::vector<std::string> labels;
  std::vector<std::string> options;
};

void declare_create(Options& options, Create& create) {
  options.list("--label", "KEY=VALUE", create.labels, "set a label")
      .list("-o,--opt", "KEY=VALUE", create.options, "type, device and o of what is mounted for it, as for mount(8)")
      .optional("NAME", create.name);
}

task<int> create(Context& context, Create request) {
  boost::json::object body;
  body["name"] = request.name;
  body["options"] = json::to(parse_pairs(request.options, "--opt"));
  body["labels"] = json::to(parse_pairs(request.labels, "--label"));
  auto volume = co_await api::post_json(context.client, "/v1/volumes", body);
  if (context.json()) context.print(volume);
  if (!context.json()) context.console.out(std::string(volume.at("name").as_string()) + "\n");
  co_return 0;
}

struct Prune {
  bool all = false;
  std::vector<std::string> labels;
};

void declare_prune(Options& options, Prune& prune) {
  options.flag("-a,--all", prune.all, "named ones, too")
      .list("--label", "KEY=VALUE", prune.labels, "only those with this label");
}

task<int> prune(Context& context, Prune request) {
  http::Query query;
  if (request.all) query.add("all", "true");
  for (const auto& label : request.labels) query.add("label", label);
  auto answer = co_await api::post_json(context.client, "/v1/volumes/prune", {}, query);
  auto pruned = json::from<api::Pruned>(answer);
  std::string text;
  for (const auto& name : pruned.removed) text += name + "\n";
  if (context.json()) context.print(answer);
  if (!context.json()) context.console.out(text + "reclaimed " + std::to_string(pruned.reclaimed) + " bytes" + "\n");
  co_return 0;
}

}  // namespace

std::vector<Command> volume_commands() {
  return {
      {"volume ls", "List volumes", {"gantry volume ls"}, prepare<Ls, declare_ls, ls>},
      {"volume create", "Create a volume", {"gantry volume create data"}, prepare<Create, declare_create, create>},
      {"volume inspect",
       "Show everything about volumes, as JSON",
       {"gantry volume inspect data"},
       prepare<Names, declare_names, inspect>},
      {"volume rm", "Remove volumes and their data", {"gantry volume rm data"}, prepare<Names, declare_names, rm>},
      {"volume prune",
       "Remove the volumes no container has",
       {"gantry volume prune", "gantry volume prune --all   # named ones, too"},
       prepare<Prune, declare_prune, prune>},
  };
}

}  // namespace gantry::cli
