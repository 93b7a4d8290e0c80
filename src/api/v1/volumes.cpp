#include "routes.h"

namespace gantry::api::v1 {
namespace {

struct VolumeBody {
  std::string name;
  std::map<std::string, std::string> labels;
};
BOOST_DESCRIBE_STRUCT(VolumeBody, (), (name, labels))

task<> list(Services& services, Call call) {
  auto& volumes = services.engine().volumes();
  auto names = call.query().all("name");
  auto wanted = labels(call.query(), "label");
  auto read = [&volumes] { return volumes.list(); };
  auto all = co_await services.pool().run(read);
  std::erase_if(all, [&](const auto& one) { return !named(names, one.name) || !has_labels(one.labels, wanted); });
  co_await answer(call.exchange, 200, std::move(all));
}

task<> create(Services& services, Call call) {
  auto body = co_await body_as<VolumeBody>(call.exchange);
  require_valid_name("volume", body.name);
  *call.audited_object = body.name;
  auto& volumes = services.engine().volumes();
  auto ensure = [&volumes, body] {
    bool fresh = false;
    return volumes.ensure(body.name, body.labels, false, &fresh);
  };
  auto info = co_await services.pool().run(ensure);
  publish(services, "volume", "create", info.name, info.name);
  co_await answer(call.exchange, 201, std::move(info));
}

task<> inspect(Services& services, Call call) {
  auto& volumes = services.engine().volumes();
  auto name = call.parameter("name");
  auto read = [&volumes, name] { return volumes.inspect(name); };
  auto info = co_await services.pool().run(read);
  co_await answer(call.exchange, 200, std::move(info));
}

task<> remove(Services& services, Call call) {
  auto& volumes = services.engine().volumes();
  auto name = call.parameter("name");
  auto erase = [&volumes, name] { volumes.remove(name); };
  co_await services.pool().run(erase);
  publish(services, "volume", "destroy", name, name);
  co_await answer_nothing(call.exchange);
}

}  // namespace

std::vector<Route> volume_routes(Services& s) {
  return {
      {"GET", "/v1/volumes", "volume.list", Effect::reads, {"name", "label"}, with(s, list)},
      {"POST", "/v1/volumes", "volume.create", Effect::changes, {}, with(s, create)},
      {"GET", "/v1/volumes/{name}", "volume.read", Effect::reads, {}, with(s, inspect)},
      {"DELETE", "/v1/volumes/{name}", "volume.remove", Effect::changes, {}, with(s, remove)},
  };
}

}  // namespace gantry::api::v1
