#include "gantry/cli/cli.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>

#include "command.h"
#include "gantry/base/text.h"
#include "help.h"
#include "parse.h"
#include "terminal.h"
#include "text.h"

namespace gantry::cli {
namespace {

constexpr int kUsageError = 2;
constexpr int kPipeClosed = 128 + SIGPIPE;
constexpr std::string_view kDefaultHost = "unix:///run/gantry/gantry.sock";

std::map<std::string, std::string> read_environment() {
  std::map<std::string, std::string> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    auto [name, value, found] = cut(*entry, '=');
    if (found) out.emplace(std::move(name), std::move(value));
  }
  return out;
}

/// What was typed, taken apart: options before the command, the command, what belongs to it.
struct Invocation {
  const Command* command = nullptr;  ///< nullptr: only help was asked for
  std::string family;                ///< "image" without a command below it
  std::vector<std::string> arguments;
};

/// The global options in front of the command, moved behind it: both places mean the same.
std::vector<std::string> take_leading(const std::vector<std::string>& words, std::size_t& at) {
  GlobalFlags ignored;
  Options global;
  declare_global(global, ignored);
  std::vector<std::string> leading;
  while (at < words.size() && words[at].size() > 1 && words[at][0] == '-') {
    auto name = cut(words[at], '=').before;
    leading.push_back(words[at++]);
    for (const auto& option : global.declared()) {
      auto names = split(option.names, ',');
      bool takes_next = std::ranges::find(names, leading.back()) != names.end() && !option.label.empty();
      if (takes_next && at < words.size()) {
        leading.push_back(words[at++]);
        break;
      }
    }
    if (name == "--version" || name == "-v") return {"--version"};
    if (!global.has(name)) global.parse({leading.back()});  // throws with the nearest option
  }
  return leading;
}

Invocation understand(const std::vector<std::string>& words) {
  Invocation out;
  std::size_t at = 0;
  auto leading = take_leading(words, at);
  if (leading.size() == 1 && leading[0] == "--version") {
    out.command = find_command("version");
    out.arguments = {"--quiet"};
    return out;
  }
  if (at == words.size()) {
    // "-h" before a command that uses it otherwise is still help here.
    if (!leading.empty() && leading.back() != "-h" && leading.back() != "--help")
      throw Error(ErrorKind::invalid, "a command is missing", "'gantry help' lists the commands");
    return out;
  }
  auto word = words[at++];
  if (is_command_family(word)) {
    bool named = at < words.size() && words[at][0] != '-';
    if (!named) {
      out.family = word;
      return out;
    }
    word += " " + words[at++];
  }
  out.command = find_command(word);
  if (out.command == nullptr) unknown_command(word);
  out.arguments = std::move(leading);
  out.arguments.insert(out.arguments.end(), words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
  return out;
}

void check_format(const std::string& format) {
  if (format == "table" || format == "json") return;
  bool is_template = format.find("{{") != std::string::npos;
  throw Error(
      ErrorKind::unsupported,
      is_template ? "--format: templates are not supported" : "--format '" + format + "': expected table or json",
      is_template ? "use --format json and pick what you need, for example with jq" : "");
}

std::filesystem::path socket_of(const GlobalFlags& flags, const std::map<std::string, std::string>& environment) {
  if (!flags.host.empty()) return parse_host(flags.host);
  auto found = environment.find("GANTRY_HOST");
  return parse_host(found == environment.end() || found->second.empty() ? kDefaultHost
                                                                        : std::string_view(found->second));
}

/// Parses; prints help and gives nullopt when that was asked for.
std::optional<Prepared> parse(const Command& command, const std::vector<std::string>& arguments, GlobalFlags& flags,
                              const Console& console) {
  auto prepared = command.prepare();
  declare_global(prepared.options, flags);
  bool help_first = !arguments.empty() && (arguments[0] == "--help" || (arguments[0] == "-h" && arguments.size() == 1));
  try {
    if (!help_first) prepared.options.parse(arguments);
  } catch (Error& error) {
    // Help is worth more than a complaint about what is missing.
    if (!flags.help)
      throw error.fix().empty()
          ? Error(error.kind(), error.message(), fmt::format("'gantry {} --help' shows how it is used", command.name))
          : error;
  }
  if (!help_first && !flags.help) return prepared;
  console.out(command_help(command, prepared.options));
  return std::nullopt;
}

/// Runs the command's task with signals watched: the first SIGINT or SIGTERM cancels it.
class Runner {
 public:
  Runner(asio::io_context& io, Context& context) : io_(io), context_(context) {}

  int run(task<int> work) {
    asio::co_spawn(io_, watch(), asio::detached);
    auto finished = [this](std::exception_ptr failure, int status) {
      failure_ = failure;
      status_ = status;
      io_.stop();
    };
    asio::co_spawn(io_, std::move(work), asio::bind_cancellation_slot(cancel_.slot(), finished));
    io_.run();
    if (interrupted_ != 0 && (failure_ == nullptr || is_cancellation(failure_))) return 128 + interrupted_;
    if (failure_) std::rethrow_exception(failure_);
    return status_;
  }

 private:
  task<> watch() {
    for (;;) {
      int number = co_await context_.signals.next();
      if (number == SIGWINCH || context_.owns_signals) {
        if (context_.on_signal) context_.on_signal(number);
        continue;
      }
      interrupted_ = number;
      cancel_.emit(asio::cancellation_type::all);
    }
  }

  asio::io_context& io_;
  Context& context_;
  asio::cancellation_signal cancel_;
  std::exception_ptr failure_;
  int status_ = 0;
  int interrupted_ = 0;
};

int run_command(Prepared prepared, const GlobalFlags& flags, std::map<std::string, std::string> environment,
                const Console& console) {
  check_format(flags.format);
  parse_progress_mode(flags.progress);
  asio::io_context io(1);
  Signals signals(io.get_executor());
  auto socket = socket_of(flags, environment);
  Context context{
      flags, std::move(environment), std::filesystem::current_path(), console, http::Client(socket), signals, false,
      {}};
  return Runner(io, context).run(prepared.run(context));
}

int run_words(const std::vector<std::string>& words, const Console& console,
              std::map<std::string, std::string> environment) {
  auto invocation = understand(words);
  if (!invocation.family.empty()) {
    console.out(help_for({invocation.family}));
    return 0;
  }
  if (invocation.command == nullptr) {
    console.out(overview());
    return words.empty() ? kUsageError : 0;
  }
  GlobalFlags flags;
  auto prepared = parse(*invocation.command, invocation.arguments, flags, console);
  return prepared ? run_command(std::move(*prepared), flags, std::move(environment), console) : 0;
}

}  // namespace

int run(int argc, const char* const* argv) {
  std::signal(SIGPIPE, SIG_IGN);
  auto environment = read_environment();
  Console console(environment);
  try {
    return run_words({argv + 1, argv + argc}, console, environment);
  } catch (const OutputClosed&) {
    return kPipeClosed;
  } catch (...) {
    restore_terminal();
    auto error = to_error(std::current_exception());
    try {
      console.err(describe(error));
    } catch (const OutputClosed&) {
      return kPipeClosed;
    }
    return exit_code(error.kind());
  }
}

}  // namespace gantry::cli
