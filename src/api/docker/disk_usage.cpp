#include <algorithm>

#include "image_words.h"
#include "surroundings.h"

/// GET /system/df: who owns the bytes.
namespace gantry::api::docker {
namespace {

namespace bj = boost::json;

/// What is asked for: `type`, since 1.42; all when none is named.
class Kinds {
 public:
  explicit Kinds(const http::Query& query) : wanted_(query.all("type")) {
    for (const auto& kind : wanted_)
      if (kind != "container" && kind != "image" && kind != "volume" && kind != "build-cache")
        throw Error(ErrorKind::invalid, "unknown object type: " + kind);
  }
  bool operator()(std::string_view kind) const {
    return wanted_.empty() || std::ranges::find(wanted_, kind) != wanted_.end();
  }

 private:
  std::vector<std::string> wanted_;
};

void add_images(const disk::Usage& usage, bj::object& out, int minor) {
  bj::array rows;
  for (const auto& image : usage.images)
    rows.push_back(list_image(image.info, static_cast<std::int64_t>(image.shared), image.containers, minor));
  out["LayersSize"] = usage.layers;
  out["Images"] = std::move(rows);
}

task<> add_containers(Services& services, const disk::Usage& usage, bj::object& out, int minor) {
  auto& engine = services.engine();
  auto around = co_await look_around(services);
  std::map<std::string, const disk::ContainerUse*> sizes;
  for (const auto& one : usage.containers) sizes[one.id] = &one;
  bj::array list;
  engine.for_each(engine::ContainerFilter(), [&](const engine::ContainerInfo& info) {
    auto size = sizes.find(info.id.str());
    if (size == sizes.end()) return;  // made since
    auto entry = list_container(info, engine.details(info.id), around, minor);
    entry["SizeRw"] = size->second->writable;
    entry["SizeRootFs"] = size->second->writable + size->second->below;
    list.push_back(std::move(entry));
  });
  out["Containers"] = std::move(list);
}

void add_volumes(const disk::Usage& usage, bj::object& out) {
  bj::array list;
  for (const auto& volume : usage.volumes) {
    bj::object counts{{"RefCount", volume.containers}, {"Size", volume.bytes}};
    bj::object row{{"CreatedAt", to_rfc3339(volume.info.created)},
                   {"Driver", "local"},
                   {"Labels", labels_object(volume.info.labels)},
                   {"Mountpoint", volume.info.path},
                   {"Name", volume.info.name},
                   {"Options", nullptr},
                   {"Scope", "local"},
                   {"UsageData", std::move(counts)}};
    list.push_back(std::move(row));
  }
  out["Volumes"] = std::move(list);
}

// One row for each kind of what builds keep.
void add_build_cache(const disk::CacheUse& usage, bj::object& out) {
  bj::array list;
  auto add = [&](const char* id, const char* type, const char* description, std::uint64_t size) {
    if (size == 0) return;
    list.push_back(bj::object{{"ID", id},
                              {"Type", type},
                              {"Description", description},
                              {"InUse", false},
                              {"Shared", false},
                              {"Size", size},
                              {"CreatedAt", go_time(std::nullopt)},
                              {"LastUsedAt", nullptr},
                              {"UsageCount", 0}});
  };
  add("layers", "regular", "layers of build steps that no image has", usage.layers);
  add("mounts", "exec.cachemount", "directories of RUN --mount=type=cache", usage.mounts);
  out["BuildCache"] = std::move(list);
}

task<> disk_usage(Services& services, Call call) {
  Kinds wanted(call.query());
  int minor = minor_of(call);
  bj::object out;
  out["LayersSize"] = 0;
  for (const char* name : {"Images", "Containers", "Volumes", "BuildCache"}) out[name] = nullptr;
  disk::Parts parts{.images = wanted("image"),
                    .containers = wanted("container"),
                    .volumes = wanted("volume"),
                    .cache = wanted("build-cache")};
  auto usage = co_await services.parts.disk.measure(parts);
  if (parts.images) add_images(usage, out, minor);
  if (parts.containers) co_await add_containers(services, usage, out, minor);
  if (parts.volumes) add_volumes(usage, out);
  if (parts.cache) add_build_cache(usage.cache, out);
  if (minor < 42) out["BuilderSize"] = 0;
  co_await answer_json(call.exchange, 200, std::move(out));
}

}  // namespace

std::vector<Route> disk_routes(Services& s) {
  return {{"GET", "/system/df", "daemon.read", Effect::reads, {}, with(s, disk_usage)}};
}

}  // namespace gantry::api::docker
