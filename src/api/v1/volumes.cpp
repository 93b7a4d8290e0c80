#include "routes.h"

namespace gantry::api::v1 {
namespace {

struct PrunedVolumes {
  std::vector<std::string> removed;
  std::uint64_t reclaimed = 0;  ///< bytes
};
BOOST_DESCRIBE_STRUCT(PrunedVolumes, (), (removed, reclaimed))

task<> list_volumes(Services& services, Call call) {
  auto& volumes = services.engine().volumes();
  auto names = call.query().all("name");
  auto wanted = labels(call.query(), "label");
  auto read = [&volumes] { return volumes.list(); };
  auto all = co_await services.pool().run(read);
  std::erase_if(all, [&](const auto& one) { return !named(names, one.name) || !has_labels(one.labels, wanted); });
  co_await answer(call.exchange, 200, std::move(all));
}

task<> create_volume(Services& services, Call call) {
  auto body = co_await body_as<volume::VolumeSpec>(call.exchange);
  if (body.name.empty()) {
    body.name = random_hex(64);
    body.anonymous = true;
  }
  require_valid(body);
  *call.audited_object = body.name;
  auto& volumes = services.engine().volumes();
  auto ensure = [&volumes, body] {
    bool fresh = false;
    return volumes.ensure(body, &fresh);
  };
  auto info = co_await services.pool().run(ensure);
  publish(services, "volume", "create", info.name, info.name);
  co_await answer(call.exchange, 201, std::move(info));
}

task<> inspect_volume(Services& services, Call call) {
  auto& volumes = services.engine().volumes();
  auto name = call.parameter("name");
  auto read = [&volumes, name] { return volumes.inspect(name); };
  auto info = co_await services.pool().run(read);
  co_await answer(call.exchange, 200, std::move(info));
}

task<> remove_volume(Services& services, Call call) {
  auto& volumes = services.engine().volumes();
  auto name = call.parameter("name");
  auto erase = [&volumes, name] { volumes.remove(name); };
  co_await services.pool().run(erase);
  publish(services, "volume", "destroy", name, name);
  co_await answer_nothing(call.exchange);
}

// Those without a name unless told otherwise: nobody can ask for them again.
task<> prune_volumes(Services& services, Call call) {
  auto& volumes = services.engine().volumes();
  bool every = flag(call.query(), "all");
  auto wanted = labels(call.query(), "label");
  auto work = [&volumes, every, wanted] {
    PrunedVolumes out;
    auto unwanted = [&](const volume::VolumeInfo& info) {
      return (every || info.anonymous) && has_labels(info.labels, wanted);
    };
    std::map<std::string, std::uint64_t> sizes;
    for (const auto& info : volumes.list())
      if (info.users.empty() && unwanted(info)) sizes[info.name] = volumes.usage(info);
    for (const auto& info : volumes.prune(unwanted)) {
      out.removed.push_back(info.name);
      out.reclaimed += sizes[info.name];
    }
    return out;
  };
  auto out = co_await services.pool().run(work);
  for (const auto& name : out.removed) publish(services, "volume", "destroy", name, name);
  publish(services, "volume", "prune", "", "");
  co_await answer(call.exchange, 200, std::move(out));
}

}  // namespace

std::vector<Route> volume_routes(Services& s) {
  return {
      {"GET", "/v1/volumes", "volume.list", Effect::reads, {"name", "label"}, with(s, list_volumes)},
      {"POST", "/v1/volumes", "volume.create", Effect::changes, {}, with(s, create_volume)},
      {"POST", "/v1/volumes/prune", "volume.remove", Effect::changes, {"all", "label"}, with(s, prune_volumes)},
      {"GET", "/v1/volumes/{name}", "volume.read", Effect::reads, {}, with(s, inspect_volume)},
      {"DELETE", "/v1/volumes/{name}", "volume.remove", Effect::changes, {}, with(s, remove_volume)},
  };
}

}  // namespace gantry::api::v1
