#include "../stdio_bridge.h"
#include "routes.h"

/// A program from its start to its end in one exchange: what the command line does most. The stream carries notes of
/// the daemon between the program's frames: first {"id"}, last {"exit_code", "oom_killed"} or {"error"}.
namespace gantry::api::v1 {
namespace {

struct Began {
  std::string id;
};
BOOST_DESCRIBE_STRUCT(Began, (), (id))

struct Trace {
  std::vector<engine::StartStep> trace;
};
BOOST_DESCRIBE_STRUCT(Trace, (), (trace))

struct Ended {
  int exit_code = 0;
  bool oom_killed = false;
};
BOOST_DESCRIBE_STRUCT(Ended, (), (exit_code, oom_killed))

template <class T>
std::string note(const T& value) {
  return http::frame(StdStream::note, json::to_text(value));
}

task<std::shared_ptr<http::ByteStream>> begin(Call& call, std::string id) {
  auto client = co_await call.exchange.upgrade("tcp", std::string(http::kNotedStream));
  Began began{std::move(id)};
  co_await client->write(note(began));
  co_return client;
}

task<> end_with(std::shared_ptr<http::ByteStream> client, Error error) {
  co_await client->write(http::frame(StdStream::note, http::error_body(error)));
  client->shutdown_write();
}

task<> run(Services& services, Call call) {
  call.exchange.require_upgrade("tcp");
  auto spec = co_await body_as<engine::ContainerSpec>(call.exchange);
  if (spec.project != call.project)
    throw Error(ErrorKind::invalid,
                "$.project: '" + spec.project + "' is not the request's project '" + call.project + "'");
  *call.audited_object = spec.name;
  bool removed = spec.auto_remove;
  auto work = services.engine().launch(std::move(spec), true);
  auto started = co_await shield<engine::Launched>(services.changes, "run a container", std::move(work));
  auto launched = std::make_shared<engine::Launched>(std::move(started));
  if (call.audited_object->empty()) *call.audited_object = short_id(launched->id);
  auto client = co_await begin(call, launched->id.str());
  if (launched->failure) {
    co_await end_with(client, *launched->failure);
    co_return;
  }
  if (flag(call.query(), "trace")) {
    Trace trace{services.engine().start_trace(*launched)};
    co_await client->write(note(trace));
  }
  std::function<task<std::string>()> last = [&services, launched, removed]() -> task<std::string> {
    return [](engine::Engine* engine, std::shared_ptr<engine::Launched> what, bool gone) -> task<std::string> {
      auto status = co_await engine->wait(*what, gone);
      Ended ended{status.code, status.oom_killed};
      co_return note(ended);
    }(&services.engine(), launched, removed);
  };
  std::shared_ptr<StdioSession> session = std::move(launched->session);
  co_await bridge(client, session, true, std::move(last));
}

task<> trace(Services& services, Call call) {
  auto id = services.engine().resolve(call.parameter("id"));
  Trace found{services.engine().start_trace(id)};
  co_await answer(call.exchange, 200, std::move(found));
}

task<> exec(Services& services, Call call) {
  auto id = services.engine().resolve(call.parameter("id"));
  call.exchange.require_upgrade("tcp");
  auto spec = co_await body_as<engine::ExecSpec>(call.exchange);
  auto create = services.engine().exec_create(id, std::move(spec));
  auto exec = co_await shield<ExecId>(services.changes, "create an exec", std::move(create));
  std::optional<Error> failure;
  std::shared_ptr<StdioSession> session;
  try {
    auto start = services.engine().exec_start(exec);
    session = co_await shield<std::unique_ptr<StdioSession>>(services.changes, "start an exec", std::move(start));
  } catch (const Error& error) {
    failure = error;
  }
  if (failure && failure->kind() == ErrorKind::cancelled) throw *failure;
  auto client = co_await begin(call, exec.str());
  if (failure) {
    co_await end_with(client, *failure);
    co_return;
  }
  std::function<task<std::string>()> last = [&services, exec]() -> task<std::string> {
    return [](engine::Engine* engine, ExecId which) -> task<std::string> {
      Ended ended{co_await engine->exec_wait(which), false};
      co_return note(ended);
    }(&services.engine(), exec);
  };
  co_await bridge(client, session, true, std::move(last));
}

}  // namespace

std::vector<Route> run_routes(Services& s) {
  return {
      {"POST", "/v1/run", "container.create", Effect::changes, {"trace"}, with(s, run)},
      {"GET", "/v1/containers/{id}/trace", "container.read", Effect::reads, {}, with(s, trace)},
      {"POST", "/v1/containers/{id}/run", "container.exec", Effect::changes, {}, with(s, exec)},
  };
}

}  // namespace gantry::api::v1
