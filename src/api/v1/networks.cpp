#include "routes.h"

namespace gantry::api::v1 {
namespace {

struct Connection {
  std::string container;
  engine::NetworkAttachment attachment;  ///< its `network` is the path's
};
BOOST_DESCRIBE_STRUCT(Connection, (), (container, attachment))

struct Disconnection {
  std::string container;
};
BOOST_DESCRIBE_STRUCT(Disconnection, (), (container))

struct PrunedNetworks {
  std::vector<std::string> removed;
};
BOOST_DESCRIBE_STRUCT(PrunedNetworks, (), (removed))

task<> list_networks(Services& services, Call call) {
  auto names = call.query().all("name");
  auto wanted = labels(call.query(), "label");
  auto all = services.engine().networks().list();
  std::erase_if(all, [&](const auto& network) {
    return !named(names, network.spec.name) || !has_labels(network.spec.labels, wanted);
  });
  co_await answer(call.exchange, 200, std::move(all));
}

task<> create_network(Services& services, Call call) {
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

task<> inspect_network(Services& services, Call call) {
  co_await answer(call.exchange, 200, services.engine().networks().inspect(call.parameter("name")));
}

task<> remove_network(Services& services, Call call) {
  auto info = services.engine().networks().inspect(call.parameter("name"));
  auto work = services.engine().networks().remove(info.id.str());
  co_await shield<void>(services.changes, "remove a network", std::move(work));
  publish(services, "network", "destroy", info.id.str(), info.spec.name);
  co_await answer_nothing(call.exchange);
}

task<> connect(Services& services, Call call) {
  auto body = co_await body_as<Connection>(call.exchange);
  auto id = services.engine().resolve(body.container);
  *call.audited_object = call.parameter("name") + " " + id.str();
  body.attachment.network = call.parameter("name");
  co_await services.engine().connect(id, std::move(body.attachment));
  co_await inspect_network(services, std::move(call));
}

task<> disconnect(Services& services, Call call) {
  auto body = co_await body_as<Disconnection>(call.exchange);
  auto id = services.engine().resolve(body.container);
  *call.audited_object = call.parameter("name") + " " + id.str();
  auto name = call.parameter("name");
  co_await services.engine().disconnect(id, std::move(name));
  co_await inspect_network(services, std::move(call));
}

task<> prune_networks(Services& services, Call call) {
  auto wanted = labels(call.query(), "label");
  auto until = timestamp(call.query(), "until");
  auto unwanted = [wanted, until](const network::NetworkInfo& info) {
    return has_labels(info.spec.labels, wanted) && (!until || info.created < *until);
  };
  auto work = services.engine().networks().prune(unwanted);
  auto removed =
      co_await shield<std::vector<network::NetworkInfo>>(services.changes, "remove unused networks", std::move(work));
  PrunedNetworks out;
  for (const auto& info : removed) {
    publish(services, "network", "destroy", info.id.str(), info.spec.name);
    out.removed.push_back(info.spec.name);
  }
  publish(services, "network", "prune", "", "");
  co_await answer(call.exchange, 200, std::move(out));
}

}  // namespace

std::vector<Route> network_routes(Services& s) {
  return {
      {"GET", "/v1/networks", "network.list", Effect::reads, {"name", "label"}, with(s, list_networks)},
      {"POST", "/v1/networks", "network.create", Effect::changes, {}, with(s, create_network)},
      {"POST", "/v1/networks/prune", "network.remove", Effect::changes, {"label", "until"}, with(s, prune_networks)},
      {"GET", "/v1/networks/{name}", "network.read", Effect::reads, {}, with(s, inspect_network)},
      {"DELETE", "/v1/networks/{name}", "network.remove", Effect::changes, {}, with(s, remove_network)},
      {"POST", "/v1/networks/{name}/connect", "network.connect", Effect::changes, {}, with(s, connect)},
      {"POST", "/v1/networks/{name}/disconnect", "network.connect", Effect::changes, {}, with(s, disconnect)},
  };
}

}  // namespace gantry::api::v1
