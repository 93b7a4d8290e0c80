#include <fmt/format.h>

#include "api.h"
#include "command.h"
#include "completion.h"
#include "doctor.h"
#include "events.h"
#include "help.h"
#include "parse.h"

namespace gantry::cli {
namespace {

constexpr std::string_view kVersion = GANTRY_VERSION;

struct None {};
void declare_none(Options&, None&) {}

struct Version {
  bool quiet = false;
};

void declare_version(Options& options, Version& version) {
  options.flag("-q,--quiet", version.quiet, "the client's version only");
}

task<int> version(Context& context, Version flags) {
  if (flags.quiet) {
    context.console.out(std::string(kVersion) + "\n");
    co_return 0;
  }
  boost::json::object answer;
  answer["client"] = boost::json::object{{"version", kVersion}};
  if (!context.json()) context.console.out(fmt::format("client   gantry {}\n", kVersion));
  std::optional<Error> failed;
  try {
    answer["server"] = co_await api::get(context.client, "/v1/version");
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable) throw;
    failed = error;
  }
  if (context.json()) context.print(answer);
  if (failed) throw *failed;
  if (context.json()) co_return 0;
  const auto& server = answer["server"].as_object();
  auto text = [&](const char* key) { return json::from<std::string>(server.at(key)); };
  context.console.out(fmt::format("server   gantryd {} (API {}, {}/{}, Linux {})\n", text("version"), text("api"),
                                  text("os"), text("arch"), text("kernel")));
  co_return 0;
}

task<int> doctor(Context& context, None) { return run_doctor(context); }

struct Events {
  EventFlags flags;
};

void declare_events(Options& options, Events& events) {
  options.value("--since", "TIME", events.flags.since, "from a time, or a span ago (10m)")
      .value("--until", "TIME", events.flags.until, "up to a time, or a span ago")
      .flag("--no-follow", events.flags.no_follow, "only what has happened (with --since)")
      .list("--filter", "KEY=VALUE", events.flags.filters, "type, action, name or label");
}

task<int> events(Context& context, Events request) { return print_events(context, request.flags); }

struct Completion {
  std::string shell;
};

void declare_completion(Options& options, Completion& completion) { options.required("SHELL", completion.shell); }

task<int> completion(Context& context, Completion request) {
  context.console.out(completion_script(request.shell));
  co_return 0;
}

struct Help {
  std::vector<std::string> words;
  bool manual = false;
};

void declare_help(Options& options, Help& help) {
  options.flag("--man", help.manual, "the manual page, as roff source").rest("COMMAND", help.words);
}

task<int> help(Context& context, Help request) {
  context.console.out(request.manual ? manual_page() : help_for(request.words));
  co_return 0;
}

}  // namespace

std::vector<Command> system_commands() {
  return {
      {"events",
       "Show what happens, as it happens",
       {"gantry events", "gantry events --since 1h --no-follow --filter type=container"},
       prepare<Events, declare_events, events>},
      {"doctor",
       "Check this host, and say what to do about each finding",
       {"gantry doctor"},
       prepare<None, declare_none, doctor>},
      {"version",
       "Show the versions of the client and the daemon",
       {"gantry version"},
       prepare<Version, declare_version, version>},
      {"completion",
       "Print the completion script for bash, zsh or fish",
       {"gantry completion bash > /etc/bash_completion.d/gantry"},
       prepare<Completion, declare_completion, completion>},
      {"help", "Show help", {"gantry help run"}, prepare<Help, declare_help, help>},
  };
}

}  // namespace gantry::cli
