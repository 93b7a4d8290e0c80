#include "../stdio_bridge.h"
#include "routes.h"

namespace gantry::api::v1 {
namespace {

struct CreatedExec {
  std::string id;
};
BOOST_DESCRIBE_STRUCT(CreatedExec, (), (id))

struct EndedExec {
  int exit_code = 0;
};
BOOST_DESCRIBE_STRUCT(EndedExec, (), (exit_code))

ExecId target(const Call& call) { return ExecId(call.parameter("id")); }

task<> create_exec(Services& services, Call call) {
  auto id = services.engine().resolve(call.parameter("id"));
  auto spec = co_await body_as<engine::ExecSpec>(call.exchange);
  auto work = services.engine().exec_create(id, std::move(spec));
  auto exec = co_await shield<ExecId>(services.changes, "create an exec", std::move(work));
  CreatedExec created{exec.str()};
  co_await answer(call.exchange, 201, std::move(created));
}

task<> start_exec(Services& services, Call call) {
  auto id = target(call);
  call.exchange.require_upgrade("tcp");
  bool framed = !services.engine().exec_inspect(id).spec.tty;
  using Session = std::unique_ptr<StdioSession>;
  auto work = services.engine().exec_start(id);
  std::shared_ptr<StdioSession> session = co_await shield<Session>(services.changes, "start an exec", std::move(work));
  auto type = std::string(framed ? http::kMultiplexedStream : http::kRawStream);
  auto client = co_await call.exchange.upgrade("tcp", std::move(type));
  co_await bridge(client, session, framed);
}

task<> resize_exec(Services& services, Call call) {
  auto size = co_await body_as<engine::TerminalSize>(call.exchange);
  co_await services.engine().exec_resize(target(call), size);
  co_await answer_nothing(call.exchange);
}

task<> inspect_exec(Services& services, Call call) {
  co_await answer(call.exchange, 200, services.engine().exec_inspect(target(call)));
}

task<> wait_exec(Services& services, Call call) {
  auto code = co_await services.engine().exec_wait(target(call));
  EndedExec ended{code};
  co_await answer(call.exchange, 200, ended);
}

}  // namespace

std::vector<Route> exec_routes(Services& s) {
  constexpr auto kReads = Effect::reads;
  return {
      {"POST", "/v1/containers/{id}/exec", "container.exec", Effect::changes, {}, with(s, create_exec)},
      {"POST", "/v1/exec/{id}/start", "container.exec", Effect::changes, {}, with(s, start_exec)},
      {"POST", "/v1/exec/{id}/resize", "container.exec", kReads, {}, with(s, resize_exec)},
      {"GET", "/v1/exec/{id}", "container.exec", kReads, {}, with(s, inspect_exec)},
      {"POST", "/v1/exec/{id}/wait", "container.exec", kReads, {}, with(s, wait_exec)},
  };
}

}  // namespace gantry::api::v1
