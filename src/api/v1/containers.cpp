#include "routes.h"

namespace gantry::api::v1 {
namespace {

struct CreatedContainer {
  std::string id;
};
BOOST_DESCRIBE_STRUCT(CreatedContainer, (), (id))

struct EndedContainer {
  int exit_code = 0;
  bool oom_killed = false;
};
BOOST_DESCRIBE_STRUCT(EndedContainer, (), (exit_code, oom_killed))

enum class View { full, summary };
BOOST_DESCRIBE_ENUM(View, full, summary)

/// What somebody who looks over many containers wants of each; named as in the full answer.
struct SummarySpec {
  std::string name;
  std::string project;
  std::string image;
  std::map<std::string, std::string> labels;
};
BOOST_DESCRIBE_STRUCT(SummarySpec, (), (name, project, image, labels))

struct Summary {
  ContainerId id;
  SummarySpec spec;
  engine::State state = engine::State::created;
  int exit_code = 0;
  bool oom_killed = false;
  std::string error;
  Timestamp created{};
  std::optional<Timestamp> started;
  std::optional<Timestamp> finished;
  engine::Health health = engine::Health::none;
  std::vector<engine::PortBinding> ports;
  std::vector<std::string> isolation_off;
};
BOOST_DESCRIBE_STRUCT(Summary, (),
                      (id, spec, state, exit_code, oom_killed, error, created, started, finished, health, ports,
                       isolation_off))

Summary summary_of(const engine::ContainerInfo& info) {
  return {info.id,         {info.spec.name, info.spec.project, info.spec.image, info.spec.labels},
          info.state,      info.exit_code,
          info.oom_killed, info.error,
          info.created,    info.started,
          info.finished,   info.health,
          info.ports,      info.isolation_off};
}

ContainerId target(Services& services, const Call& call) { return services.engine().resolve(call.parameter("id")); }

task<> create_container(Services& services, Call call) {
  auto spec = co_await body_as<engine::ContainerSpec>(call.exchange);
  // The authorizer was asked about the request's project; a body must not lead into another one.
  if (spec.project != call.project)
    throw Error(ErrorKind::invalid,
                "$.project: '" + spec.project + "' is not the request's project '" + call.project + "'");
  *call.audited_object = spec.name;
  auto work = services.engine().create(std::move(spec));
  auto id = co_await shield<ContainerId>(services.changes, "create a container", std::move(work));
  if (call.audited_object->empty()) *call.audited_object = short_id(id);
  CreatedContainer created{id.str()};
  co_await answer(call.exchange, 201, std::move(created));
}

task<> list_containers(Services& services, Call call) {
  const auto& query = call.query();
  engine::ContainerFilter filter;
  filter.state = choice<engine::State>(query, "status");
  filter.all = flag(query, "all") || filter.state;
  filter.names = query.all("name");
  filter.labels = labels(query, "label");
  if (const auto* stack = query.find("stack")) filter.labels[engine::kStackLabel] = *stack;
  if (const auto* service = query.find("service")) filter.labels[engine::kServiceLabel] = *service;
  std::string text;
  auto view = choice<View>(query, "view").value_or(View::full);
  auto write = [&text, view](const engine::ContainerInfo& info) {
    text += text.empty() ? '[' : ',';
    text += view == View::full ? json::to_text(info) : json::to_text(summary_of(info));
  };
  services.engine().for_each(filter, write);
  text += text.empty() ? "[]\n" : "]\n";
  co_await call.exchange.respond(200, std::string(http::kJson), std::move(text));
}

task<> inspect_container(Services& services, Call call) {
  auto id = target(services, call);
  co_await answer(call.exchange, 200, services.engine().inspect(id));
}

task<> start_container(Services& services, Call call) {
  auto id = target(services, call);
  co_await shield<void>(services.changes, "start a container", services.engine().start(id));
  co_await answer_nothing(call.exchange);
}

task<> stop_container(Services& services, Call call) {
  auto id = target(services, call);
  auto grace = duration(call.query(), "grace");
  co_await shield<void>(services.changes, "stop a container", services.engine().stop(id, grace));
  co_await answer_nothing(call.exchange);
}

task<> kill_container(Services& services, Call call) {
  auto id = target(services, call);
  auto signal = call.query().get("signal", "SIGKILL");
  co_await shield<void>(services.changes, "signal a container", services.engine().kill(id, signal));
  co_await answer_nothing(call.exchange);
}

task<> restart_container(Services& services, Call call) {
  auto id = target(services, call);
  auto grace = duration(call.query(), "grace");
  co_await shield<void>(services.changes, "restart a container", services.engine().restart(id, grace));
  co_await answer_nothing(call.exchange);
}

task<> pause_container(Services& services, Call call) {
  auto id = target(services, call);
  co_await shield<void>(services.changes, "pause a container", services.engine().pause(id));
  co_await answer_nothing(call.exchange);
}

task<> unpause_container(Services& services, Call call) {
  auto id = target(services, call);
  co_await shield<void>(services.changes, "unpause a container", services.engine().unpause(id));
  co_await answer_nothing(call.exchange);
}

task<> rename_container(Services& services, Call call) {
  auto id = target(services, call);
  auto name = call.query().get("name", "");
  co_await shield<void>(services.changes, "rename a container", services.engine().rename(id, name));
  co_await answer_nothing(call.exchange);
}

task<> remove_container(Services& services, Call call) {
  auto id = target(services, call);
  engine::RemoveOptions options{flag(call.query(), "force"), flag(call.query(), "volumes")};
  co_await shield<void>(services.changes, "remove a container", services.engine().remove(id, options));
  co_await answer_nothing(call.exchange);
}

// The head goes out before the wait, so that a client can begin to wait, and start the container when it sees it.
task<> wait_container(Services& services, Call call) {
  auto id = target(services, call);
  auto condition =
      choice<engine::WaitCondition>(call.query(), "condition").value_or(engine::WaitCondition::not_running);
  co_await call.exchange.start_stream(200, std::string(http::kNdjson));
  auto status = co_await services.engine().wait(id, condition);
  EndedContainer ended{status.code, status.oom_killed};
  co_await call.exchange.write(json::to_text(ended) + "\n");
}

task<> stats(Services& services, Call call) {
  auto id = target(services, call);
  auto measured = co_await services.engine().stats(id);
  co_await answer(call.exchange, 200, measured);
}

task<> processes(Services& services, Call call) {
  auto found = co_await services.engine().processes(target(services, call));
  co_await answer(call.exchange, 200, found);
}

task<> update_container(Services& services, Call call) {
  auto id = target(services, call);
  auto change = co_await body_as<engine::ContainerUpdate>(call.exchange);
  co_await shield<void>(services.changes, "update a container", services.engine().update(id, std::move(change)));
  co_await answer_nothing(call.exchange);
}

}  // namespace

std::vector<Route> container_routes(Services& s) {
  constexpr auto kReads = Effect::reads;
  constexpr auto kChanges = Effect::changes;
  return {
      {"POST", "/v1/containers", "container.create", kChanges, {}, with(s, create_container)},
      {"GET",
       "/v1/containers",
       "container.list",
       kReads,
       {"all", "name", "label", "stack", "service", "status", "view"},
       with(s, list_containers)},
      {"GET", "/v1/containers/{id}", "container.read", kReads, {}, with(s, inspect_container)},
      {"POST", "/v1/containers/{id}/start", "container.start", kChanges, {}, with(s, start_container)},
      {"POST", "/v1/containers/{id}/stop", "container.stop", kChanges, {"grace"}, with(s, stop_container)},
      {"POST", "/v1/containers/{id}/kill", "container.kill", kChanges, {"signal"}, with(s, kill_container)},
      {"POST", "/v1/containers/{id}/restart", "container.restart", kChanges, {"grace"}, with(s, restart_container)},
      {"POST", "/v1/containers/{id}/pause", "container.pause", kChanges, {}, with(s, pause_container)},
      {"POST", "/v1/containers/{id}/unpause", "container.pause", kChanges, {}, with(s, unpause_container)},
      {"POST", "/v1/containers/{id}/rename", "container.rename", kChanges, {"name"}, with(s, rename_container)},
      {"POST", "/v1/containers/{id}/wait", "container.read", kReads, {"condition"}, with(s, wait_container)},
      {"DELETE", "/v1/containers/{id}", "container.remove", kChanges, {"force", "volumes"}, with(s, remove_container)},
      {"POST", "/v1/containers/{id}/update", "container.update", kChanges, {}, with(s, update_container)},
      {"GET", "/v1/containers/{id}/processes", "container.read", kReads, {}, with(s, processes)},
      {"GET", "/v1/containers/{id}/stats", "container.read", kReads, {}, with(s, stats)},
  };
}

}  // namespace gantry::api::v1
