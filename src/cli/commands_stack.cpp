#include <fmt/format.h>

#include "api.h"
#include "command.h"
#include "format.h"
#include "gantry/base/files.h"
#include "logs.h"
#include "parse.h"
#include "project.h"
#include "pull.h"
#include "stack_build.h"
#include "stack_display.h"
#include "table.h"
#include "text.h"

namespace gantry::cli {
namespace {

struct Up {
  ProjectFlags project;
  bool detach = false, build = false, no_build = false, force_recreate = false, renew = false, no_start = false,
       wait = false;
  bool no_wait = false, remove_orphans = false, keep_orphans = false, attach = false, quiet = false;
  std::string wait_timeout, pull;
  std::vector<std::string> scale, services;
};

void declare_up(Options& options, Up& up) {
  options.flag("-d,--detach", up.detach, "accepted for habit: 'up' returns when the stack is up")
      .flag("--attach", up.attach, "then follow the logs until Ctrl-C; the stack goes on running")
      .flag("--build", up.build, "build images even when they are there")
      .flag("--no-build", up.no_build, "never build")
      .value("--pull", "WHEN", up.pull, "always, missing or never, for all images (as the file says, else missing)")
      .flag("--force-recreate", up.force_recreate, "recreate containers that did not change")
      .flag("-V,--renew-anon-volumes", up.renew, "recreated containers begin with new anonymous volumes")
      .flag("--no-start", up.no_start, "create only")
      .flag("--wait", up.wait, "accepted for habit: waiting is the default")
      .flag("--no-wait", up.no_wait, "do not wait until services are running or healthy")
      .value("--wait-timeout", "SECONDS", up.wait_timeout, "longest time to wait (5m)")
      .flag("--remove-orphans", up.remove_orphans, "accepted for habit: the default")
      .flag("--keep-orphans", up.keep_orphans, "leave containers of services that the file no longer has")
      .list("--scale", "SERVICE=NUMBER", up.scale, "number of replicas")
      .flag("-q,--quiet", up.quiet, "no progress and no summary");
  declare_project(options, up.project);
  options.rest("SERVICE", up.services);
}

void apply_scale(compose::Stack& stack, const std::vector<std::string>& scales) {
  std::vector<std::string> names;
  for (const auto& [name, service] : stack.services) names.push_back(name);
  for (const auto& text : scales) {
    auto [name, count] = parse_pair(text, "--scale");
    auto found = stack.services.find(name);
    if (found == stack.services.end()) {
      auto near = nearest(name, names);
      throw Error(ErrorKind::invalid, fmt::format("--scale '{}': no service '{}'", text, name),
                  near.empty() ? "the services are " + join(names, ", ") : "did you mean '" + near + "'?");
    }
    auto replicas = parse_number(count, "--scale " + name);
    if (replicas < 0 || replicas > 1000)
      throw Error(ErrorKind::invalid, fmt::format("--scale '{}': out of range", text));
    found->second.replicas = static_cast<std::uint32_t>(replicas);
  }
  compose::validate(stack);
}

void check_up(const Up& up) {
  auto exclude = [](bool a, bool b, std::string_view names) {
    if (a && b) throw Error(ErrorKind::invalid, std::string(names) + " exclude each other");
  };
  if (!up.pull.empty()) parse_pull_policy(up.pull, "--pull");
  exclude(up.build, up.no_build, "--build and --no-build");
  exclude(up.attach, up.detach, "--attach and --detach");
  exclude(up.wait, up.no_wait, "--wait and --no-wait");
  exclude(up.remove_orphans, up.keep_orphans, "--remove-orphans and --keep-orphans");
}

boost::json::object up_options(const Up& up) {
  boost::json::object options;
  options["services"] = json::to(up.services);
  options["force_recreate"] = up.force_recreate;
  options["renew_anon_volumes"] = up.renew;
  options["no_start"] = up.no_start;
  options["remove_orphans"] = !up.keep_orphans;
  options["wait"] = !up.no_wait && !up.no_start;
  if (!up.wait_timeout.empty()) options["timeout"] = json::to(parse_grace(up.wait_timeout, "--wait-timeout"));
  return options;
}

task<boost::json::value> put_stack(Context& context, const compose::Stack& stack, const Up& up, Progress& progress) {
  http::ClientRequest request;
  request.method = "PUT";
  request.path = api::path("stacks", stack.name);
  boost::json::object body;
  body["stack"] = compose::to_json(stack);
  body["options"] = up_options(up);
  request.body = boost::json::serialize(body);
  auto response = co_await context.client.open(std::move(request));
  StackDisplay display(progress);
  auto step = [&display](const boost::json::value& value) { display.show(json::from<StackStep>(value)); };
  co_return co_await api::follow(std::move(response), step);
}

task<std::vector<engine::ContainerInfo>> stack_containers(Context& context, std::string name) {
  http::Query query;
  query.add("stack", name);
  query.add("all", "1");
  return api::fetch<std::vector<engine::ContainerInfo>>(context.client, "/v1/containers", query);
}

task<int> up(Context& context, Up flags) {
  check_up(flags);
  auto stack = load_stack(context, flags.project, flags.services);
  apply_scale(stack, flags.scale);
  // A wrong service name is found here, before anything is built.
  auto wanted = flags.services.empty() ? stack : compose::select(stack, flags.services);
  boost::json::value result;
  {
    auto progress = context.progress(flags.quiet);
    auto mode = flags.build ? BuildMode::always : flags.no_build ? BuildMode::never : BuildMode::missing;
    co_await build_images(context, wanted, mode, *progress);
    co_await pull_images(context, wanted, flags.pull, *progress);
    result = co_await put_stack(context, stack, flags, *progress);
  }
  if (context.json()) context.print(result);
  auto containers = co_await stack_containers(context, stack.name);
  if (!context.json() && !flags.quiet)
    context.console.out(stack_summary(json::from<api::Stack>(result), containers, context.console));
  LogFlags follow;
  follow.follow = true;
  follow.tail = "0";
  if (flags.attach) co_await print_logs(context, std::move(containers), follow);
  co_return 0;
}

struct Down {
  ProjectFlags project;
  bool volumes = false, images = false, remove_orphans = false, quiet = false;
  std::optional<std::string> grace;
};

void declare_down(Options& options, Down& down) {
  options.flag("-v,--volumes", down.volumes, "remove the stack's named volumes too: their data is gone")
      .flag("--images", down.images, "remove its images that nothing else uses")
      .value("-t,--timeout", "SECONDS", down.grace, "time to end before it is killed")
      .flag("--remove-orphans", down.remove_orphans, "accepted for habit: everything of the stack goes")
      .flag("-q,--quiet", down.quiet, "no progress");
  declare_project(options, down.project);
}

task<> delete_stack(Context& context, std::string name, Down flags, Progress& progress) {
  http::ClientRequest request;
  request.method = "DELETE";
  request.path = api::path("stacks", name);
  if (flags.volumes) request.query.add("volumes", "1");
  if (flags.images) request.query.add("images", "1");
  if (flags.grace) request.query.add("grace", to_string(parse_grace(*flags.grace, "--timeout")));
  auto response = co_await context.client.open(std::move(request));
  StackDisplay display(progress);
  auto step = [&display](const boost::json::value& value) { display.show(json::from<StackStep>(value)); };
  co_await api::follow(std::move(response), step);
}

task<int> down(Context& context, Down flags) {
  auto name = stack_name(context, flags.project);
  auto progress = context.progress(flags.quiet);
  bool absent = false;
  try {
    co_await delete_stack(context, name, flags, *progress);
  } catch (const Error& error) {
    // Already down is what was asked for.
    if (error.kind() != ErrorKind::not_found) throw;
    absent = true;
  }
  progress->finish();
  if (!flags.quiet)
    context.console.err(absent ? "stack " + name + " is not there: nothing to do\n" : "stack " + name + " is down\n");
  co_return 0;
}

struct Config {
  ProjectFlags project;
  bool quiet = false, services = false, images = false;
};

void declare_config(Options& options, Config& config) {
  options.flag("-q,--quiet", config.quiet, "check only")
      .flag("--services", config.services, "names of the services")
      .flag("--images", config.images, "names of the images");
  declare_project(options, config.project);
}

task<int> config(Context& context, Config flags) {
  auto stack = load_stack(context, flags.project);
  if (flags.quiet) co_return 0;
  std::string text;
  for (const auto& [name, service] : stack.services) {
    if (flags.services) text += name + "\n";
    if (flags.images) text += service.image + "\n";
  }
  if (!flags.services && !flags.images) text = compose::canonical_text(stack);
  if (!text.empty() && text.back() != '\n') text += '\n';
  context.console.out(text);
  co_return 0;
}

struct StackLs {
  bool quiet = false;
};

void declare_stack_ls(Options& options, StackLs& ls) { options.flag("-q,--quiet", ls.quiet, "names only"); }

task<int> stack_ls(Context& context, StackLs flags) {
  auto answer = co_await api::get(context.client, "/v1/stacks");
  if (context.json()) {
    context.print(answer);
    co_return 0;
  }
  Table table({"NAME", "STATUS", "SERVICES", "RUNNING", "RELEASE", "UPDATED"});
  std::string names;
  for (const auto& stack : json::from<std::vector<api::Stack>>(answer)) {
    names += stack.name + "\n";
    table.add({stack.name, stack.status, std::to_string(stack.services),
               fmt::format("{}/{}", stack.running, stack.containers), std::to_string(stack.release),
               ago(stack.updated, now())});
  }
  context.console.out(flags.quiet ? names : table.text());
  co_return 0;
}

}  // namespace

std::vector<Command> stack_commands() {
  return {
      {"up",
       "Build what is needed and bring the stack of the compose file up",
       {"gantry up", "gantry up --build web", "gantry up -f compose.yaml -f prod.yaml -p shop --scale web=3",
        "gantry up --attach   # follow the logs; Ctrl-C leaves the stack running"},
       prepare<Up, declare_up, up>},
      {"down",
       "Stop and remove the containers and networks of a stack",
       {"gantry down", "gantry down -v   # its named volumes too", "gantry down -p shop"},
       prepare<Down, declare_down, down>},
      {"config",
       "Check the compose file and print what it resolves to (needs no daemon)",
       {"gantry config", "gantry config -q && echo fine", "gantry config --images"},
       prepare<Config, declare_config, config>},
      {"stack ls", "List stacks", {"gantry stack ls"}, prepare<StackLs, declare_stack_ls, stack_ls>},
  };
}

}  // namespace gantry::cli
