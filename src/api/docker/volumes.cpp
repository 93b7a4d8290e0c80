#include "bodies.h"
#include "describe.h"
#include "routes.h"

namespace gantry::api::docker {
namespace {

namespace bj = boost::json;
using volume::VolumeInfo;

constexpr int kOnlyAnonymous = 42;  // a prune takes named volumes only when told so from 1.42 on
constexpr const char* kAnonymousLabel = "com.docker.volume.anonymous";

std::map<std::string, std::string> labels_of(const VolumeInfo& info) {
  auto out = info.labels;
  if (info.anonymous) out[kAnonymousLabel] = "";
  return out;
}

bj::value labels_or_null(const std::map<std::string, std::string>& labels) {
  return labels.empty() ? bj::value() : bj::value(labels_object(labels));
}

// Docker's volumes tell no fractions of a second.
std::string created_text(Timestamp created) { return to_rfc3339(std::chrono::floor<std::chrono::seconds>(created)); }

bj::object describe(const VolumeInfo& info) {
  return {{"CreatedAt", created_text(info.created)},
          {"Driver", info.driver},
          {"Labels", labels_or_null(labels_of(info))},
          {"Mountpoint", info.path},
          {"Name", info.name},
          {"Options", labels_or_null(info.options)},
          {"Scope", "local"}};
}

void tell(Services& services, std::string action, const std::string& name) {
  engine::Event event;
  event.time = now();
  event.type = "volume";
  event.action = std::move(action);
  event.id = name;
  event.attributes["driver"] = "local";
  services.engine().publish(std::move(event));
}

task<std::vector<VolumeInfo>> all_volumes(Services& services) {
  auto& volumes = services.engine().volumes();
  auto read = [&volumes] { return volumes.list(); };
  co_return co_await services.pool().run(read);
}

task<> list_volumes(Services& services, Call call) {
  Filters filters(call.query(), {"dangling", "driver", "label", "label!", "name"});
  auto dangling = filters.flag("dangling");
  auto all = co_await all_volumes(services);
  bj::array out;
  for (const auto& info : all) {
    bool wanted = filters.match("driver", info.driver) && filters.match_pattern("name", info.name) &&
                  filters.match_labels(labels_of(info)) && (!dangling || *dangling == info.users.empty());
    if (wanted) out.push_back(describe(info));
  }
  bj::object answer{{"Volumes", std::move(out)}, {"Warnings", nullptr}};
  co_await answer_json(call.exchange, 200, std::move(answer));
}

task<> create_volume(Services& services, Call call) {
  auto object = co_await body_object(call.exchange);
  Body body(object);
  auto spec = volume_spec(body);
  if (spec.name.empty()) spec.name = random_hex(64);
  require_valid(spec);
  *call.audited_object = spec.name;
  auto& volumes = services.engine().volumes();
  auto make = [&volumes, spec] {
    bool there = false;
    for (const auto& info : volumes.list()) there = there || info.name == spec.name;
    return std::pair(volumes.ensure(spec, nullptr), there);
  };
  auto [info, there] = co_await services.pool().run(make);
  if (!there) tell(services, "create", info.name);
  co_await answer_json(call.exchange, 201, describe(info));
}

task<> inspect_volume(Services& services, Call call) {
  auto& volumes = services.engine().volumes();
  auto read = [&volumes, name = call.parameter("name")] { return volumes.inspect(name); };
  auto info = co_await services.pool().run(read);
  co_await answer_json(call.exchange, 200, describe(info));
}

task<> remove_volume(Services& services, Call call) {
  auto& volumes = services.engine().volumes();
  auto name = call.parameter("name");
  bool force = docker_flag(call.query(), "force");
  auto erase = [&volumes, name] { volumes.remove(name); };
  bool gone = false;
  try {
    co_await services.pool().run(erase);
  } catch (const Error& error) {
    if (!force || error.kind() != ErrorKind::not_found) throw;
    gone = true;
  }
  if (!gone) tell(services, "destroy", name);
  co_await answer_nothing(call.exchange);
}

struct PrunedVolumes {
  std::vector<std::string> names;
  std::uint64_t reclaimed = 0;
};

task<> prune_volumes(Services& services, Call call) {
  Filters filters(call.query(), {"all", "label", "label!"});
  bool every = filters.flag("all").value_or(false) || minor_of(call) < kOnlyAnonymous;
  auto& volumes = services.engine().volumes();
  auto work = [&volumes, filters, every] {
    auto unwanted = [&](const VolumeInfo& info) {
      return (every || info.anonymous) && filters.match_labels(labels_of(info));
    };
    std::map<std::string, std::uint64_t> sizes;
    for (const auto& info : volumes.list())
      if (info.users.empty() && unwanted(info)) sizes[info.name] = volumes.usage(info);
    PrunedVolumes out;
    for (const auto& info : volumes.prune(unwanted)) {
      out.names.push_back(info.name);
      out.reclaimed += sizes[info.name];
    }
    return out;
  };
  auto pruned = co_await services.pool().run(work);
  for (const auto& name : pruned.names) tell(services, "destroy", name);
  publish_prune(services, "volume", pruned.reclaimed);
  bj::object out{{"VolumesDeleted", strings_or_null(pruned.names)}, {"SpaceReclaimed", pruned.reclaimed}};
  co_await answer_json(call.exchange, 200, std::move(out));
}

// Only cluster volumes can be changed.
task<> update_volume(Services&, Call) {
  throw Error(ErrorKind::unavailable, "This node is not a swarm manager. Only cluster volumes can be updated",
              "make a new volume with the options it shall have");
  co_return;
}

}  // namespace

volume::VolumeSpec volume_spec(const Body& body) {
  if (body.has("ClusterVolumeSpec"))
    throw Error(ErrorKind::unavailable, "This node is not a swarm manager. Cluster volumes need a swarm",
                "use the driver local with its options, as for nfs");
  volume::VolumeSpec spec;
  spec.name = body.text("Name");
  spec.driver = body.text("Driver");
  if (spec.driver.empty()) spec.driver = "local";
  spec.options = body.map("DriverOpts");
  spec.labels = body.map("Labels");
  spec.anonymous = spec.name.empty() || spec.labels.erase(kAnonymousLabel) > 0;
  return spec;
}

std::vector<Route> volume_routes(Services& s) {
  constexpr auto kReads = Effect::reads;
  constexpr auto kChanges = Effect::changes;
  return {
      {"GET", "/volumes", "volume.list", kReads, {}, with(s, list_volumes)},
      {"POST", "/volumes/create", "volume.create", kChanges, {}, with(s, create_volume)},
      {"POST", "/volumes/prune", "volume.remove", kChanges, {}, with(s, prune_volumes)},
      {"GET", "/volumes/{name}", "volume.read", kReads, {}, with(s, inspect_volume)},
      {"PUT", "/volumes/{name}", "volume.create", kReads, {}, with(s, update_volume)},
      {"DELETE", "/volumes/{name}", "volume.remove", kChanges, {}, with(s, remove_volume)},
  };
}

}  // namespace gantry::api::docker
