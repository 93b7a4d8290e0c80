#include "../stdio_bridge.h"
#include "bodies.h"
#include "create.h"
#include "escape.h"
#include "human.h"
#include "routes.h"

namespace gantry::api::docker {
namespace {

namespace bj = boost::json;

ExecId exec_target(Services& services, const Call& call) {
  ExecId id(call.parameter("id"));
  try {
    (void)services.engine().exec_inspect(id);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) throw Error(ErrorKind::not_found, "No such exec instance: " + id.str());
    throw;
  }
  return id;
}

task<> create_exec(Services& services, Call call) {
  auto id = target(services, call);
  auto object = co_await body_object(call.exchange);
  Body body(object);
  auto spec = exec_spec(body, minor_of(call));
  auto info = services.engine().inspect(id);
  if (info.state == engine::State::paused)
    throw Error(ErrorKind::conflict, "Container " + info.spec.name + " is paused, unpause the container before exec");
  if (info.state != engine::State::running && info.state != engine::State::stopping)
    throw Error(ErrorKind::conflict, "container " + id.str() + " is not running");
  auto work = services.engine().exec_create(id, std::move(spec));
  auto exec = co_await shield<ExecId>(services.changes, "create an exec", std::move(work));
  bj::object out{{"Id", exec.str()}};
  co_await answer_json(call.exchange, 201, std::move(out));
}

/// Words by which clients tell 127 from 126.
[[noreturn]] void exec_failure(const engine::ExecInfo& info, const Error& error) {
  auto program = info.spec.argv.empty() ? std::string() : info.spec.argv.front();
  auto prefix = "OCI runtime exec failed: exec failed: unable to start container process: exec: \"" + program + "\": ";
  if (error.message().find("no such command") != std::string::npos)
    throw Error(ErrorKind::invalid, prefix + "executable file not found in $PATH", error.fix());
  if (error.message().find("not executable") != std::string::npos)
    throw Error(ErrorKind::invalid, prefix + "permission denied", error.fix());
  throw error;
}

/// What can be known before HTTP is left.
void require_startable(Services& services, const engine::ExecInfo& info) {
  if (info.running) throw Error(ErrorKind::conflict, "Error: Exec command " + info.id.str() + " is already running");
  if (info.exit_code) throw Error(ErrorKind::conflict, "Error: Exec command " + info.id.str() + " has already run");
  auto container = services.engine().inspect(info.container);
  if (container.state == engine::State::paused)
    throw Error(ErrorKind::conflict,
                "Container " + info.container.str() + " is paused, unpause the container before exec");
  if (!is_running(container)) throw Error(ErrorKind::conflict, "container " + info.container.str() + " is not running");
}

/// A program that is running, or why it is not, in the words clients know.
struct Started {
  std::shared_ptr<StdioSession> session;
  std::optional<Error> failure;
};

task<Started> start_program(Services& services, engine::ExecInfo info) {
  using Session = std::unique_ptr<StdioSession>;
  Started out;
  auto work = services.engine().exec_start(info.id);
  try {
    out.session = co_await shield<Session>(services.changes, "start an exec", std::move(work));
  } catch (const Error& error) {
    out.failure = error;
  }
  if (!out.failure && info.spec.tty && info.spec.rows != 0) {
    engine::TerminalSize size{.rows = info.spec.rows, .columns = info.spec.columns};
    co_await services.engine().exec_resize(info.id, size);
  }
  if (!out.failure) co_return out;
  if (out.failure->kind() == ErrorKind::cancelled) throw Error(*out.failure);
  try {
    exec_failure(info, *out.failure);
  } catch (const Error& error) {
    out.failure = error;
  }
  co_return out;
}

task<> start_exec(Services& services, Call call) {
  auto id = exec_target(services, call);
  auto object = co_await optional_body(call.exchange);
  Body body(object);
  auto info = services.engine().exec_inspect(id);
  require_startable(services, info);
  if (body.flag("Detach")) {
    auto started = co_await start_program(services, info);
    if (started.failure) throw Error(*started.failure);
    co_await call.exchange.respond(200, "", "");
    co_return;
  }
  if (auto size = read_console_size(body); size && minor_of(call) >= 42) {
    info.spec.rows = size->rows;
    info.spec.columns = size->columns;
  }
  bool framed = !info.spec.tty;
  std::string type(framed && minor_of(call) >= 42 ? http::kMultiplexedStream : http::kRawStream);
  // As Docker does, HTTP is left before the program begins: the SDK for Python drops what comes in one piece with the
  // head.
  auto client = co_await call.exchange.hijack(std::move(type));
  auto started = co_await start_program(services, info);
  if (started.failure) {
    auto text = started.failure->message() + "\r\n";
    auto data = framed ? http::frame(StdStream::out, text) : text;
    co_await client->write(std::move(data));
    client->shutdown_write();
    co_return;
  }
  AttachOptions options{.in = info.spec.stdin_open,
                        .out = info.spec.attach_out,
                        .err = info.spec.attach_err,
                        .framed = framed,
                        .close_input = !info.spec.tty};
  if (info.spec.tty) options.out = options.out || options.err;
  auto* engine = &services.engine();
  options.before_end = [engine, id]() -> task<> { (void)co_await engine->exec_wait(id); };
  DetachKeys keys(info.spec.detach_keys);
  if (info.spec.tty) options.typed = detached_by(std::move(keys));
  bool detached = co_await connect(client, started.session, options);
  if (!detached) co_return;
  auto left = services.engine().container_event(info.container, "exec_detach");
  left.attributes["exec"] = id.str();
  services.engine().publish(std::move(left));
}

task<> resize_exec(Services& services, Call call) {
  auto id = exec_target(services, call);
  auto size = terminal_size(call.query());
  co_await services.engine().exec_resize(id, size);
  co_await call.exchange.respond(200, "", "");
}

task<> inspect_exec(Services& services, Call call) {
  auto info = services.engine().exec_inspect(exec_target(services, call));
  bj::array rest;
  for (std::size_t i = 1; i < info.spec.argv.size(); ++i) rest.emplace_back(info.spec.argv[i]);
  bj::object out{{"ID", info.id.str()},
                 {"Running", info.running},
                 {"ExitCode", info.exit_code ? bj::value(*info.exit_code) : bj::value(nullptr)},
                 {"ProcessConfig", bj::object{{"tty", info.spec.tty},
                                              {"entrypoint", info.spec.argv.empty() ? "" : info.spec.argv.front()},
                                              {"arguments", std::move(rest)},
                                              {"privileged", info.spec.privileged},
                                              {"user", info.spec.user}}},
                 {"OpenStdin", info.spec.stdin_open},
                 {"OpenStderr", info.spec.attach_err},
                 {"OpenStdout", info.spec.attach_out},
                 {"CanRemove", !info.running && info.exit_code.has_value()},
                 {"ContainerID", info.container.str()},
                 {"DetachKeys", info.spec.detach_keys},
                 {"Pid", info.pid}};
  co_await answer_json(call.exchange, 200, std::move(out));
}

}  // namespace

engine::ExecSpec exec_spec(const Body& body, int minor) {
  engine::ExecSpec spec;
  spec.argv = body.words("Cmd").value_or(std::vector<std::string>{});
  if (spec.argv.empty()) throw Error(ErrorKind::invalid, "No exec command specified");
  spec.environment = body.strings("Env");
  spec.user = body.text("User");
  spec.working_dir = body.text("WorkingDir");
  spec.tty = body.flag("Tty");
  spec.stdin_open = body.flag("AttachStdin");
  spec.privileged = body.flag("Privileged");
  spec.attach_out = body.flag("AttachStdout");
  spec.attach_err = body.flag("AttachStderr");
  spec.detach_keys = body.text("DetachKeys");
  DetachKeys check(spec.detach_keys);
  if (auto size = read_console_size(body); size && minor >= 42) {
    spec.rows = size->rows;
    spec.columns = size->columns;
  }
  return spec;
}

std::vector<Route> exec_routes(Services& s) {
  constexpr auto kReads = Effect::reads;
  return {
      {"POST", "/containers/{id}/exec", "container.exec", Effect::changes, {}, with(s, create_exec)},
      {"POST", "/exec/{id}/start", "container.exec", Effect::changes, {}, with(s, start_exec)},
      {"POST", "/exec/{id}/resize", "container.exec", kReads, {}, with(s, resize_exec)},
      {"GET", "/exec/{id}/json", "container.exec", kReads, {}, with(s, inspect_exec)},
  };
}

}  // namespace gantry::api::docker
