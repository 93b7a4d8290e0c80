#include <fmt/format.h>

#include "api.h"
#include "command.h"
#include "format.h"
#include "gather.h"
#include "logs.h"
#include "parse.h"
#include "project.h"
#include "table.h"
#include "targets.h"
#include "text.h"

namespace gantry::cli {
namespace {

using engine::ContainerInfo;

struct Ps {
  bool all = false, quiet = false, names = false, no_trunc = false;
  std::string stack;
  std::vector<std::string> filters;
};

void declare_ps(Options& options, Ps& ps) {
  options.flag("-a,--all", ps.all, "stopped ones too")
      .flag("-q,--quiet", ps.quiet, "ids only")
      .flag("--names", ps.names, "names only")
      .flag("--no-trunc", ps.no_trunc, "whole ids")
      .value("--stack", "NAME", ps.stack, "those of one stack")
      .list("--filter", "KEY=VALUE", ps.filters, "name, label, stack, service or status");
}

http::Query ps_query(const Ps& ps) {
  http::Query query;
  if (ps.all) query.add("all", "1");
  if (!ps.stack.empty()) query.add("stack", ps.stack);
  for (const auto& filter : ps.filters) {
    auto [key, value] = parse_pair(filter, "--filter");
    const std::vector<std::string> known{"name", "label", "stack", "service", "status"};
    if (std::ranges::find(known, key) == known.end())
      throw Error(ErrorKind::invalid, fmt::format("--filter '{}': unknown key '{}'", filter, key),
                  "filter by " + join(known, ", "));
    query.add(key, value);
  }
  return query;
}

// One at a time: a thousand of them together are megabytes.
void for_each_container(const boost::json::value& answer, auto visit) {
  const auto* containers = answer.if_array();
  if (containers == nullptr) throw Error(ErrorKind::invalid, "$: expected an array");
  for (const auto& container : *containers) visit(json::from<ContainerInfo>(container));
}

std::string ps_table(const boost::json::value& answer) {
  Table table({"NAME", "IMAGE", "STATUS", "PORTS", "ISOLATION"});
  for_each_container(answer, [&table, time = now()](const ContainerInfo& container) {
    table.add({container.spec.name, container.spec.image, status_text(container, time), ports_text(container.ports),
               isolation_text(container)});
  });
  return table.text();
}

task<int> ps(Context& context, Ps flags) {
  auto query = ps_query(flags);
  if (!context.json()) query.add("view", "summary");
  auto answer = co_await api::get(context.client, "/v1/containers", query);
  if (context.json()) {
    context.print(answer);
    co_return 0;
  }
  if (!flags.quiet && !flags.names) {
    context.console.out(ps_table(answer));
    co_return 0;
  }
  std::string lines;
  for_each_container(answer, [&](const ContainerInfo& container) {
    lines += flags.names ? container.spec.name : flags.no_trunc ? container.id.str() : short_id(container.id);
    lines += '\n';
  });
  context.console.out(lines);
  co_return 0;
}

struct Logs {
  LogFlags flags;
  std::vector<std::string> names;
};

void declare_logs(Options& options, Logs& logs) {
  options.flag("-f,--follow", logs.flags.follow, "go on as more is written")
      .flag("-t,--timestamps", logs.flags.timestamps, "time of each line")
      .flag("--no-log-prefix", logs.flags.no_prefix, "no names before the lines")
      .value("-n,--tail", "NUMBER", logs.flags.tail, "only the last lines of each")
      .value("--since", "TIME", logs.flags.since, "from a time, or a span ago (10m)")
      .value("--until", "TIME", logs.flags.until, "up to a time, or a span ago")
      .rest("NAME", logs.names);
}

task<int> logs(Context& context, Logs request) {
  // Without a name: the stack of the compose file here.
  if (request.names.empty()) request.names.push_back(stack_name(context, {}));
  std::vector<ContainerInfo> containers;
  for (auto name : request.names) {
    auto found = co_await find_containers(context, name, true);
    containers.insert(containers.end(), found.begin(), found.end());
  }
  co_await print_logs(context, std::move(containers), request.flags);
  co_return 0;
}

struct Signalled {
  std::optional<std::string> grace;
  std::string signal = "SIGKILL";
  std::vector<std::string> names;
};

void declare_stop(Options& options, Signalled& stop) {
  options
      .value("-t,--time,--timeout", "SECONDS", stop.grace,
             "time to end before it is killed (default: the container's own)")
      .rest("NAME", stop.names, true);
}

void declare_kill(Options& options, Signalled& kill) {
  options.value("-s,--signal", "SIGNAL", kill.signal, "signal to send (SIGKILL)").rest("NAME", kill.names, true);
}

void declare_names(Options& options, Signalled& names) { options.rest("NAME", names.names, true); }

/// POST to an action of every container that `word` means.
task<> act(Context& context, std::string word, std::string action, http::Query query) {
  auto found = co_await find_containers(context, word);
  std::vector<task<>> posts;
  for (const auto& container : found)
    posts.push_back(api::post(context.client, api::path("containers", container.id.str(), action), query));
  auto failures = co_await gather(std::move(posts));
  for (const auto& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

task<int> act_on_all(Context& context, std::vector<std::string> names, std::string action, http::Query query) {
  return for_each_name(context, std::move(names), [action, query](Context& ctx, std::string word) {
    return act(ctx, std::move(word), action, query);
  });
}

http::Query grace_query(const Signalled& request) {
  http::Query query;
  if (request.grace) query.add("grace", to_string(parse_grace(*request.grace, "--time")));
  return query;
}

task<int> start(Context& context, Signalled request) { return act_on_all(context, request.names, "start", {}); }
task<int> stop(Context& context, Signalled request) {
  return act_on_all(context, request.names, "stop", grace_query(request));
}
task<int> restart(Context& context, Signalled request) {
  return act_on_all(context, request.names, "restart", grace_query(request));
}
task<int> kill(Context& context, Signalled request) {
  http::Query query;
  query.add("signal", request.signal);
  return act_on_all(context, request.names, "kill", query);
}

task<int> pause(Context& context, Signalled request) { return act_on_all(context, request.names, "pause", {}); }
task<int> unpause(Context& context, Signalled request) { return act_on_all(context, request.names, "unpause", {}); }

struct Rename {
  std::string name, wanted;
};

void declare_rename(Options& options, Rename& rename) {
  options.required("NAME", rename.name).required("NEW-NAME", rename.wanted);
}

task<int> rename(Context& context, Rename request) {
  auto id = co_await find_container(context, request.name);
  http::Query query;
  query.add("name", request.wanted);
  co_await api::post(context.client, api::path("containers", id, "rename"), query);
  co_return 0;
}

task<> wait_one(Context& context, std::string word) {
  auto id = co_await find_container(context, word);
  boost::json::object nothing;
  auto answer = co_await api::post_json(context.client, api::path("containers", id, "wait"), nothing);
  context.console.out(fmt::format("{}\n", answer.at("exit_code").to_number<int>()));
}

task<int> wait(Context& context, Signalled request) { return for_each_name(context, request.names, wait_one, false); }

struct Rm {
  bool force = false, volumes = false;
  std::vector<std::string> names;
};

void declare_rm(Options& options, Rm& rm) {
  options.flag("-f,--force", rm.force, "kill it first when it runs; one that is not there is no error")
      .flag("-v,--volumes", rm.volumes, "with its anonymous volumes")
      .rest("NAME", rm.names, true);
}

task<> remove_found(Context& context, std::string word, http::Query query) {
  auto found = co_await find_containers(context, word);
  for (auto& container : found)
    co_await api::remove(context.client, api::path("containers", container.id.str()), query);
}

task<> remove_word(Context& context, std::string word, http::Query query, bool force) {
  try {
    co_await remove_found(context, word, query);
  } catch (const Error& error) {
    if (!force || error.kind() != ErrorKind::not_found) throw;
  }
}

task<int> rm(Context& context, Rm request) {
  http::Query query;
  if (request.force) query.add("force", "1");
  if (request.volumes) query.add("volumes", "1");
  return for_each_name(context, request.names, [query, force = request.force](Context& ctx, std::string word) {
    return remove_word(ctx, std::move(word), query, force);
  });
}

// What `inspect` tries in turn.
constexpr const char* kInspectable[]{"containers", "images", "networks", "volumes", "stacks"};

task<std::optional<boost::json::value>> try_get(const http::Client& client, std::string path) {
  try {
    co_return co_await api::get(client, path);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found && error.kind() != ErrorKind::invalid) throw;
  }
  co_return std::nullopt;
}

task<boost::json::value> inspect_any(Context& context, std::string word) {
  for (const char* kind : kInspectable) {
    auto found = co_await try_get(context.client, api::path(kind, word));
    if (found) co_return *found;
  }
  // A service, or an error that names what is near.
  auto containers = co_await find_containers(context, word);
  co_return json::to(containers.front());
}

task<int> inspect(Context& context, Signalled request) {
  boost::json::array all;
  for (auto name : request.names) {
    auto value = co_await inspect_any(context, name);
    all.push_back(std::move(value));
  }
  context.print(all);
  co_return 0;
}

}  // namespace

std::vector<Command> container_commands() {
  return {
      {"ps",
       "List containers",
       {"gantry ps", "gantry ps -a --filter status=exited", "gantry ps --stack guestbook --format json"},
       prepare<Ps, declare_ps, ps>},
      {"logs",
       "Show what containers wrote",
       {"gantry logs -f web", "gantry logs --tail 20 guestbook/web guestbook/db", "gantry logs --since 10m guestbook"},
       prepare<Logs, declare_logs, logs>},
      {"start", "Start stopped containers", {"gantry start web"}, prepare<Signalled, declare_names, start>},
      {"stop",
       "Stop containers",
       {"gantry stop web", "gantry stop -t 30 guestbook/db"},
       prepare<Signalled, declare_stop, stop>},
      {"restart", "Stop and start containers", {"gantry restart web"}, prepare<Signalled, declare_stop, restart>},
      {"kill",
       "Send a signal to containers",
       {"gantry kill web", "gantry kill -s HUP web"},
       prepare<Signalled, declare_kill, kill>},
      {"pause",
       "Halt all processes of containers where they are",
       {"gantry pause web"},
       prepare<Signalled, declare_names, pause>},
      {"unpause", "Let paused containers go on", {"gantry unpause web"}, prepare<Signalled, declare_names, unpause>},
      {"rename",
       "Give a container another name",
       {"gantry rename clever_otter web"},
       prepare<Rename, declare_rename, rename>},
      {"wait",
       "Wait until containers have ended, print their exit statuses",
       {"gantry wait job"},
       prepare<Signalled, declare_names, wait>},
      {"rm", "Remove containers", {"gantry rm web", "gantry rm -f -v web db"}, prepare<Rm, declare_rm, rm>},
      {"inspect",
       "Show everything about containers, images, networks, volumes or stacks, as JSON",
       {"gantry inspect web", "gantry inspect debian:bookworm"},
       prepare<Signalled, declare_names, inspect>},
  };
}

}  // namespace gantry::cli
