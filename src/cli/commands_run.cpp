#include <fmt/format.h>

#include <csignal>

#include "api.h"
#include "command.h"
#include "gantry/base/files.h"
#include "pull.h"
#include "run_options.h"
#include "session.h"
#include "signal_names.h"
#include "targets.h"
#include "trace.h"

namespace gantry::cli {
namespace {

// What a shell shows for a program that could not be executed, and what docker shows when the engine failed.
constexpr int kEngineFailed = 125;
constexpr int kCannotExecute = 126;
constexpr int kCommandNotFound = 127;

struct Run {
  RunFlags flags;
  bool detach = false;
  bool trace = false;
  std::string detach_keys = "ctrl-p,ctrl-q";
  std::string pull = "missing";
  std::optional<std::string> platform;
  bool quiet = false;
  std::string image;
  std::vector<std::string> command;
};

void declare_create(Options& options, Run& run) {
  options.flag("-d,--detach", run.detach, "print the id and leave it running");
  declare_run_flags(options, run.flags);
  options.value("--detach-keys", "KEYS", run.detach_keys, "keys that leave a container running (ctrl-p,ctrl-q)")
      .value("--pull", "WHEN", run.pull, "get the image: missing, always or never (missing)")
      .value("--platform", "OS/ARCHITECTURE", run.platform, "which image to get, when there are several")
      .flag("-q,--quiet", run.quiet, "no progress of a pull")
      .required("IMAGE", run.image)
      .rest("COMMAND", run.command)
      .stop_at_first_word();
}

void declare_run(Options& options, Run& run) {
  options.flag("--trace", run.trace, "show on standard error how long each step of the start took");
  declare_create(options, run);
}

engine::ContainerSpec spec_of(const Context& context, const Run& run) {
  RunSurroundings surroundings{context.directory, context.environment,
                               [&](const std::filesystem::path& path) { return read_file(context.directory / path); }};
  auto spec = make_spec(run.flags, surroundings);
  spec.image = run.image;
  if (!run.command.empty()) spec.command = run.command;
  return spec;
}

int start_failure_status(const Error& error) {
  if (error.kind() == ErrorKind::not_found) return kCommandNotFound;
  return error.kind() == ErrorKind::denied ? kCannotExecute : kEngineFailed;
}

int report(const Context& context, const Error& error, int status) {
  if (error.kind() == ErrorKind::cancelled) throw error;
  context.console.err(describe(error));
  return status;
}

task<std::string> create(const http::Client& client, engine::ContainerSpec spec) {
  auto answer = co_await api::post_json(client, "/v1/containers", json::to(spec));
  co_return std::string(answer.at("id").as_string());
}

/// The exit status, asked for before the start so that a quick end is not missed.
task<http::Response> open_wait(const http::Client& client, std::string id, bool removed) {
  http::ClientRequest request;
  request.method = "POST";
  request.path = api::path("containers", id, "wait");
  request.query.add("condition", removed ? "removed" : "next_exit");
  return client.open(std::move(request));
}

task<int> read_wait(http::Response& response) {
  auto text = co_await response.read_all();
  auto answer = json::parse(text, "the daemon's answer");
  if (auto failed = http::error_from_body(text)) throw *failed;
  co_return static_cast<int>(answer.at("exit_code").to_number<int>());
}

task<> discard(const http::Client& client, std::string id) {
  try {
    http::Query query;
    query.add("force", "1");
    query.add("volumes", "1");
    co_await api::remove(client, api::path("containers", id), query);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
  }
}

/// Throws what the start failed with, after taking a --rm container away again.
task<> start_or_discard(const http::Client& client, std::string id, bool remove) {
  std::exception_ptr failure;
  try {
    co_await api::post(client, api::path("containers", id, "start"));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure && remove) co_await discard(client, id);
  if (failure) std::rethrow_exception(failure);
}

SessionOptions session_options(const Context& context, std::string kind, std::string id, bool tty, bool input) {
  SessionOptions options;
  options.tty = tty;
  options.input = input;
  auto path = api::path(std::move(kind), std::move(id), "resize");
  options.resize = [&client = context.client, path](engine::TerminalSize size) -> task<> {
    return [](const http::Client& to, std::string where, engine::TerminalSize now) -> task<> {
      co_await api::post_json(to, where, json::to(now));
    }(client, path, size);
  };
  return options;
}

/// Signals go to the container from here on.
void proxy_signals(Context& context, Scope& scope, std::string id) {
  context.owns_signals = true;
  context.signals.forward_all();
  context.on_signal = [&context, &scope, id](int number) {
    if (number == SIGWINCH) return;
    http::Query query;
    query.add("signal", signal_name(number));
    scope.spawn("signal", api::post(context.client, api::path("containers", id, "kill"), query));
  };
}

/// What a session of a started program comes to. A start that failed is reported as a shell would.
int outcome_of(const Context& context, const Session& session) {
  try {
    return exit_code_of(session);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::unavailable) throw;
    return report(context, error, start_failure_status(error));
  }
}

std::vector<engine::StartStep> steps_in(const boost::json::value& answer) {
  return json::from<std::vector<engine::StartStep>>(answer.at("trace"));
}

void show_trace(const Context& context, const std::vector<engine::StartStep>& steps) {
  context.console.err(context.flags.format == "json" ? json::to_text(steps) + "\n" : trace_text(steps));
}

void show_trace(const Context& context, const Session& session) {
  for (const auto& note : session.notes) {
    auto value = json::parse(note, "the daemon's answer");
    if (value.as_object().contains("trace")) show_trace(context, steps_in(value));
  }
}

task<int> run_attached(Context& context, Run run, engine::ContainerSpec spec) {
  auto executor = co_await asio::this_coro::executor;
  Scope signals(executor);
  auto session = co_await open_program(context.client, "/v1/run", json::to_text(spec), run.trace);
  auto id = id_of(session);
  if (!spec.tty) proxy_signals(context, signals, id);
  auto options = session_options(context, "containers", id, spec.tty, spec.open_stdin);
  options.detach_keys = run.detach_keys;
  gantry::detail::Outcome<SessionEnd> outcome;
  co_await gantry::detail::settle<SessionEnd>(run_session(context, session, std::move(options)), &outcome);
  context.on_signal = nullptr;
  context.owns_signals = false;
  co_await signals.close();
  if (outcome.failure) std::rethrow_exception(outcome.failure);
  if (run.trace) show_trace(context, session);
  co_return *outcome.value == SessionEnd::detached ? 0 : outcome_of(context, session);
}

task<> get_image(Context& context, Run run) {
  PullOptions options;
  options.reference = run.image;
  options.platform = run.platform;
  auto progress = context.progress(run.quiet);
  co_await pull_image(context, std::move(options), *progress);
}

/// Whether it was the image that `error` missed, and it has been pulled now: nothing is asked before it is missed.
task<bool> got_missing_image(Context& context, Run run, Error error) {
  if (error.kind() != ErrorKind::not_found || run.pull != "missing") co_return false;
  auto missed = co_await missing_image(context.client, run.image);
  if (!missed) co_return false;
  PullOptions options;
  options.reference = run.image;
  options.platform = run.platform;
  auto progress = context.progress(run.quiet);
  co_await pull_missing(context, std::move(options), std::move(*missed), *progress);
  co_return true;
}

/// `missed`, when it is given, gets the error of something that was not there, instead of a report.
task<int> run_once(Context& context, Run run, engine::ContainerSpec spec, std::optional<Error>* missed) {
  std::optional<Error> failed;
  std::string id;
  try {
    if (!run.detach) co_return co_await run_attached(context, run, spec);
    id = co_await create(context.client, spec);
  } catch (const Error& error) {
    failed = error;
  }
  if (failed && missed != nullptr && failed->kind() == ErrorKind::not_found) {
    *missed = failed;
    co_return kEngineFailed;
  }
  if (failed) co_return report(context, *failed, kEngineFailed);
  try {
    co_await start_or_discard(context.client, id, spec.auto_remove);
  } catch (const Error& error) {
    failed = error;
  }
  if (failed) co_return report(context, *failed, start_failure_status(*failed));
  context.console.out(id + "\n");
  if (!run.trace) co_return 0;
  auto answer = co_await api::fetch<boost::json::value>(context.client, api::path("containers", id, "trace"));
  show_trace(context, steps_in(answer));
  co_return 0;
}

task<int> run_container(Context& context, Run run) {
  parse_pull_policy(run.pull, "--pull");
  if (!run.detach) require_terminal(run.flags.tty, run.flags.interactive);
  auto spec = spec_of(context, run);
  std::optional<Error> failed, missed;
  bool again = false;
  int status = 0;
  try {
    if (run.pull == "always") co_await get_image(context, run);
    status = co_await run_once(context, run, spec, &missed);
    if (missed) again = co_await got_missing_image(context, run, *missed);
  } catch (const Error& error) {
    failed = error;
  }
  if (failed) co_return report(context, *failed, kEngineFailed);
  if (again) co_return co_await run_once(context, run, spec, nullptr);
  co_return missed ? report(context, *missed, kEngineFailed) : status;
}

task<int> create_container(Context& context, Run run) {
  parse_pull_policy(run.pull, "--pull");
  auto spec = spec_of(context, run);
  if (run.pull == "always") co_await get_image(context, run);
  std::optional<Error> missed;
  std::string id;
  try {
    id = co_await create(context.client, spec);
  } catch (const Error& error) {
    missed = error;
  }
  if (missed) {
    bool got = co_await got_missing_image(context, run, *missed);
    if (!got) throw *missed;
    id = co_await create(context.client, spec);
  }
  context.console.out(id + "\n");
  co_return 0;
}

struct Exec {
  bool interactive = false, tty = false, detach = false, privileged = false;
  std::vector<std::string> env, env_files, command;
  std::string user, working_dir, name, detach_keys = "ctrl-p,ctrl-q";
};

void declare_exec(Options& options, Exec& exec) {
  options.flag("-i,--interactive", exec.interactive, "connect standard input")
      .flag("-t,--tty", exec.tty, "give it a terminal")
      .flag("-d,--detach", exec.detach, "do not wait for it")
      .flag("--privileged", exec.privileged, "with all capabilities of the container's user namespace")
      .list("-e,--env", "KEY[=VALUE]", exec.env, "set a variable; KEY alone passes ours on")
      .list("--env-file", "FILE", exec.env_files, "read variables from a file")
      .value("-u,--user", "USER[:GROUP]", exec.user, "user it runs as")
      .value("-w,--workdir", "DIR", exec.working_dir, "working directory")
      .value("--detach-keys", "KEYS", exec.detach_keys, "keys that leave it running (ctrl-p,ctrl-q)")
      .required("NAME", exec.name)
      .rest("COMMAND", exec.command, true)
      .stop_at_first_word();
}

engine::ExecSpec exec_spec(const Context& context, const Exec& exec) {
  Run as_run;
  as_run.flags.env = exec.env;
  as_run.flags.env_files = exec.env_files;
  engine::ExecSpec spec;
  spec.argv = exec.command;
  spec.environment = spec_of(context, as_run).environment;
  spec.user = exec.user;
  spec.working_dir = exec.working_dir;
  spec.tty = exec.tty;
  spec.stdin_open = exec.interactive;
  spec.privileged = exec.privileged;
  return spec;
}

/// By its name at once; a service's name is looked up only when no container has it.
task<Session> open_exec(Context& context, Exec exec) {
  auto spec = json::to_text(exec_spec(context, exec));
  bool missing = exec.name.find('/') != std::string::npos;
  if (!missing) try {
      co_return co_await open_program(context.client, api::path("containers", exec.name, "run"), spec);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
    }
  auto container = co_await find_container(context, exec.name);
  co_return co_await open_program(context.client, api::path("containers", container, "run"), spec);
}

task<int> exec_attached(Context& context, Exec exec) {
  auto session = co_await open_exec(context, exec);
  auto options = session_options(context, "exec", id_of(session), exec.tty, exec.interactive);
  options.detach_keys = exec.detach_keys;
  auto end = co_await run_session(context, session, std::move(options));
  co_return end == SessionEnd::detached ? 0 : outcome_of(context, session);
}

task<int> exec_detached(Context& context, Exec exec) {
  auto container = co_await find_container(context, exec.name);
  auto spec = json::to(exec_spec(context, exec));
  auto created = co_await api::post_json(context.client, api::path("containers", container, "exec"), spec);
  auto id = std::string(created.at("id").as_string());
  std::optional<Error> failed;
  try {
    // Opening the session starts it; closing it leaves it running.
    co_await open_session(context.client, api::path("exec", id, "start"));
  } catch (const Error& error) {
    failed = error;
  }
  co_return failed ? report(context, *failed, start_failure_status(*failed)) : 0;
}

task<int> exec_in_container(Context& context, Exec exec) {
  if (exec.detach) co_return co_await exec_detached(context, std::move(exec));
  require_terminal(exec.tty, exec.interactive);
  co_return co_await exec_attached(context, std::move(exec));
}

struct Attach {
  bool no_stdin = false;
  std::string name, detach_keys = "ctrl-p,ctrl-q";
};

void declare_attach(Options& options, Attach& attach) {
  options.flag("--no-stdin", attach.no_stdin, "do not connect standard input")
      .value("--detach-keys", "KEYS", attach.detach_keys, "keys that leave it running (ctrl-p,ctrl-q)")
      .required("NAME", attach.name);
}

task<int> attach_container(Context& context, Attach attach) {
  auto id = co_await find_container(context, attach.name);
  auto info = co_await api::fetch<engine::ContainerInfo>(context.client, api::path("containers", id));
  if (info.state != engine::State::running && info.state != engine::State::paused)
    throw Error(ErrorKind::conflict, "container '" + info.spec.name + "' is not running",
                "gantry start " + attach.name);
  bool input = info.spec.open_stdin && !attach.no_stdin;
  require_terminal(info.spec.tty, input);
  auto session = co_await open_session(context.client, api::path("containers", id, "attach"));
  auto waiting = co_await open_wait(context.client, id, info.spec.auto_remove);
  auto options = session_options(context, "containers", id, info.spec.tty, input);
  options.detach_keys = attach.detach_keys;
  auto end = co_await run_session(context, session, std::move(options));
  if (end == SessionEnd::detached) co_return 0;
  co_return co_await read_wait(waiting);
}

}  // namespace

std::vector<Command> run_commands() {
  return {
      {"run",
       "Create a container from an image and run it",
       {"gantry run --rm -it debian:bookworm bash", "gantry run -d --name web -p 8080:80 nginx:1",
        "gantry run --rm -v ./data:/data -e MODE=test myapp make check"},
       prepare<Run, declare_run, run_container>},
      {"create",
       "Create a container without starting it",
       {"gantry create --name web -p 8080:80 nginx:1"},
       prepare<Run, declare_create, create_container>},
      {"exec",
       "Run a further program in a container",
       {"gantry exec -it web bash", "gantry exec guestbook/db psql -U postgres -c 'select 1'"},
       prepare<Exec, declare_exec, exec_in_container>},
      {"attach",
       "Connect to the main program of a container",
       {"gantry attach web   # leave with ctrl-p,ctrl-q"},
       prepare<Attach, declare_attach, attach_container>},
  };
}

}  // namespace gantry::cli
