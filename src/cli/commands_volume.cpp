#include "api.h"
#include "command.h"
#include "format.h"
#include "gather.h"
#include "parse.h"
#include "table.h"

namespace gantry::cli {
namespace {

struct VolumeLs {
  bool quiet = false;
};

void declare_volume_ls(Options& options, VolumeLs& ls) { options.flag("-q,--quiet", ls.quiet, "names only"); }

task<int> volume_ls(Context& context, VolumeLs flags) {
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

struct VolumeNames {
  std::vector<std::string> names;
};

void declare_volume_names(Options& options, VolumeNames& request) { options.rest("VOLUME", request.names, true); }

task<int> volume_inspect(Context& context, VolumeNames request) {
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

task<int> volume_rm(Context& context, VolumeNames request) {
  return for_each_name(context, request.names, remove_volume);
}

struct VolumeCreate {
  std::string name;
  std::vector<std::string> labels;
  std::vector<std::string> options;
};

void declare_volume_create(Options& options, VolumeCreate& create) {
  options.list("--label", "KEY=VALUE", create.labels, "set a label")
      .list("-o,--opt", "KEY=VALUE", create.options, "type, device and o of what is mounted for it, as for mount(8)")
      .optional("NAME", create.name);
}

task<int> volume_create(Context& context, VolumeCreate request) {
  boost::json::object body;
  body["name"] = request.name;
  body["options"] = json::to(parse_pairs(request.options, "--opt"));
  body["labels"] = json::to(parse_pairs(request.labels, "--label"));
  auto volume = co_await api::post_json(context.client, "/v1/volumes", body);
  if (context.json()) context.print(volume);
  if (!context.json()) context.console.out(std::string(volume.at("name").as_string()) + "\n");
  co_return 0;
}

struct VolumePrune {
  bool all = false;
  std::vector<std::string> labels;
};

void declare_volume_prune(Options& options, VolumePrune& prune) {
  options.flag("-a,--all", prune.all, "named ones, too")
      .list("--label", "KEY=VALUE", prune.labels, "only those with this label");
}

task<int> volume_prune(Context& context, VolumePrune request) {
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
      {"volume ls", "List volumes", {"gantry volume ls"}, prepare<VolumeLs, declare_volume_ls, volume_ls>},
      {"volume create",
       "Create a volume",
       {"gantry volume create data"},
       prepare<VolumeCreate, declare_volume_create, volume_create>},
      {"volume inspect",
       "Show everything about volumes, as JSON",
       {"gantry volume inspect data"},
       prepare<VolumeNames, declare_volume_names, volume_inspect>},
      {"volume rm",
       "Remove volumes and their data",
       {"gantry volume rm data"},
       prepare<VolumeNames, declare_volume_names, volume_rm>},
      {"volume prune",
       "Remove the volumes no container has",
       {"gantry volume prune", "gantry volume prune --all   # named ones, too"},
       prepare<VolumePrune, declare_volume_prune, volume_prune>},
  };
}

}  // namespace gantry::cli
