#include "routes.h"

namespace gantry::api::v1 {
namespace {

task<> list(Services& services, Call call) {
  auto names = call.query().all("name");
  auto wanted = labels(call.query(), "label");
  auto all = services.engine().networks().list();
  std::erase_if(all, [&](const auto& network) {
    return !named(names, network.spec.name) || !has_labels(network.spec.labels, wanted);
  });
  co_await answer(call.exchange, 200, std::move(all));
}

task<> create(Services& services, Call call) {
  auto spec = co_await body_as<network::NetworkSpec>(call.exchange);
  if (spec.project != call.project)
    throw Error(ErrorKind::invalid,
                "$.project: '" + spec.project + "' is not the request's project '" + call.project + "'");
  *call.audited_object = spec.name;
  auto work = services.engine().networks().create(std::move(spec));
  auto info = co_await shield<network::NetworkInfo>(services.changes, "create a network", std::move(work));
  publish(services, "network", "create", info.id.str(), info.spec.name);
  co_await answer(call.exchange, 201, std::move(info));
}

task<> inspect(Services& services, Call call) {
  co_await answer(call.exchange, 200, services.engine().networks().inspect(call.parameter("name")));
}

task<> remove(Services& services, Call call) {
  auto info = services.engine().networks().inspect(call.parameter("name"));
  auto work = services.engine().networks().remove(info.id.str());
  co_await shield<void>(services.changes, "remove a network", std::move(work));
  publish(services, "network", "destroy", info.id.str(), info.spec.name);
  co_await answer_nothing(call.exchange);
}

}  // namespace

std::vector<Route> network_routes(Services& s) {
  return {
      {"GET", "/v1/networks", "network.list", Effect::reads, {"name", "label"}, with(s, list)},
      {"POST", "/v1/networks", "network.create", Effect::changes, {}, with(s, create)},
      {"GET", "/v1/networks/{name}", "network.read", Effect::reads, {}, with(s, inspect)},
      {"DELETE", "/v1/networks/{name}", "network.remove", Effect::changes, {}, with(s, remove)},
  };
}

}  // namespace gantry::api::v1
