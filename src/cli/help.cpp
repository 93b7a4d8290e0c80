#include "help.h"

#include <fmt/format.h>

#include <algorithm>

#include "gantry/base/text.h"
#include "text.h"

namespace gantry::cli {
namespace {

std::string with_comma_space(const std::string& names) { return join(split(names, ','), ", "); }

std::string option_lines(const Options& options, std::size_t from, std::size_t to) {
  std::string text;
  const auto& declared = options.declared();
  for (std::size_t i = from; i < to; ++i) {
    auto left = with_comma_space(declared[i].names) + (declared[i].label.empty() ? "" : " " + declared[i].label);
    text += left.size() <= 30 ? fmt::format("  {:<30}  {}\n", left, declared[i].help)
                              : fmt::format("  {}\n  {:<30}  {}\n", left, "", declared[i].help);
  }
  return text;
}

std::string usage(const Command& command, const Options& options) {
  return fmt::format("gantry {} {}", command.name, options.synopsis());
}

std::string family_help(const std::string& family) {
  auto text = fmt::format("Usage: gantry {} COMMAND\n\nCommands:\n", family);
  for (const auto& group : command_groups())
    for (const auto& command : group.commands)
      if (command.name.starts_with(family + " ")) text += fmt::format("  {:<18}  {}\n", command.name, command.summary);
  return text;
}

Prepared prepare_whole(const Command& command, GlobalFlags& flags) {
  auto prepared = command.prepare();
  declare_global(prepared.options, flags);
  return prepared;
}

std::size_t global_count() {
  GlobalFlags flags;
  Options options;
  declare_global(options, flags);
  return options.declared().size();
}

/// Text for roff: backslashes and hyphens escaped, a leading dot or quote made harmless.
std::string roff(std::string_view text) {
  std::string out;
  if (text.starts_with('.') || text.starts_with('\'')) out += "\\&";
  for (char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string roff_options(const Options& options, std::size_t from, std::size_t to) {
  std::string text;
  for (std::size_t i = from; i < to; ++i) {
    const auto& option = options.declared()[i];
    text += fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", roff(with_comma_space(option.names)),
                        option.label.empty() ? "" : " \\fI" + roff(option.label) + "\\fR", roff(option.help));
  }
  return text;
}

std::string roff_command(const Command& command, std::size_t globals) {
  GlobalFlags flags;
  auto prepared = prepare_whole(command, flags);
  auto text = fmt::format(".SS \"{}\"\n{}.\n.PP\n\\fB{}\\fR\n", roff(command.name), roff(command.summary),
                          roff(usage(command, prepared.options)));
  text += roff_options(prepared.options, 0, prepared.options.declared().size() - globals);
  text += ".PP\nExamples:\n.nf\n";
  for (auto example : command.examples) text += "    " + roff(example) + "\n";
  return text + ".fi\n";
}

constexpr std::string_view kManualHead = R"(.TH GANTRY 1 "" "gantry" "User Commands"
.SH NAME
gantry \- build and run containers and stacks
.SH SYNOPSIS
\fBgantry\fR [\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGUMENTS\fR]
.SH DESCRIPTION
\fBgantry\fR is the command line of the container platform Gantry. It talks to the daemon \fBgantryd\fR over a unix
socket. Run in a directory with a compose file, \fBgantry up\fR builds what is needed, starts every service and prints
what to open.
)";

constexpr std::string_view kManualTail = R"(.SH EXIT STATUS
\fBrun\fR, \fBexec\fR and \fBattach\fR end with the status of the program in the container; 125 when the engine failed, 126 when
the command cannot be executed, 127 when it is not there. Otherwise: 0 success, 1 refused (not found, conflict, denied),
2 wrong usage or a wrong file, 124 a deadline passed, 125 the daemon cannot be reached or failed, 130 interrupted.
.SH ENVIRONMENT
.TP
\fBGANTRY_HOST\fR
Socket of the daemon, as with \fB\-\-host\fR.
.TP
\fBCOMPOSE_FILE\fR, \fBCOMPOSE_PROJECT_NAME\fR, \fBCOMPOSE_PROFILES\fR
As in the Compose specification.
.TP
\fBNO_COLOR\fR
No colours when set.
.SH FILES
.TP
\fI/run/gantry/gantry.sock\fR
The daemon's socket.
)";

}  // namespace

void declare_global(Options& options, GlobalFlags& flags) {
  options.value("-H,--host", "unix:///PATH", flags.host, "socket of the daemon (GANTRY_HOST, /run/gantry/gantry.sock)")
      .value("--format", "FORMAT", flags.format, "table (default) or json")
      .value("--progress", "MODE", flags.progress, "auto (default), plain, tty, quiet or rawjson")
      .flag(options.has("-h") ? "--help" : "-h,--help", flags.help, "show this help");
}

std::string overview() {
  std::string text =
      "Usage: gantry [OPTIONS] COMMAND [ARGUMENTS]\n\nBuilds and runs containers and stacks on this host.\n";
  for (const auto& group : command_groups()) {
    text += fmt::format("\n{}:\n", group.title);
    for (const auto& command : group.commands) text += fmt::format("  {:<18}  {}\n", command.name, command.summary);
  }
  GlobalFlags flags;
  Options options;
  declare_global(options, flags);
  text += "\nOptions:\n" + option_lines(options, 0, options.declared().size());
  text +=
      "\nExamples:\n  gantry up                           # bring up the stack of the compose file here\n"
      "  gantry run --rm -it debian:bookworm bash\n  gantry logs -f guestbook/web\n"
      "\n'gantry help COMMAND' or 'gantry COMMAND --help' tells more.\n";
  return text;
}

std::string command_help(const Command& command, const Options& options) {
  auto own = options.declared().size() - global_count();
  auto text = fmt::format("Usage: {}\n\n{}.\n", usage(command, options), command.summary);
  if (own > 0) text += "\nOptions:\n" + option_lines(options, 0, own);
  text += "\nGlobal options:\n" + option_lines(options, own, options.declared().size());
  text += "\nExamples:\n";
  for (auto example : command.examples) text += fmt::format("  {}\n", example);
  return text;
}

void unknown_command(const std::string& word) {
  auto near = nearest(word, command_names());
  throw Error(ErrorKind::invalid, "unknown command '" + word + "'",
              near.empty() ? "'gantry help' lists the commands" : "did you mean 'gantry " + near + "'?");
}

std::string help_for(const std::vector<std::string>& words) {
  if (words.empty()) return overview();
  auto name = join(words, " ");
  if (is_command_family(name)) return family_help(name);
  const auto* command = find_command(name);
  if (command == nullptr) unknown_command(name);
  GlobalFlags flags;
  auto prepared = prepare_whole(*command, flags);
  return command_help(*command, prepared.options);
}

std::string manual_page() {
  std::string text(kManualHead);
  GlobalFlags flags;
  Options options;
  declare_global(options, flags);
  auto globals = options.declared().size();
  text +=
      ".SH OPTIONS\nAccepted before and after the command.\n" + roff_options(options, 0, globals) + ".SH COMMANDS\n";
  for (const auto& group : command_groups())
    for (const auto& command : group.commands) text += roff_command(command, globals);
  return text + std::string(kManualTail);
}

}  // namespace gantry::cli
