#include "dockerfile/checks.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "dockerfile/expand.h"
#include "dockerfile/file_mode.h"
#include "dockerfile/instruction.h"
#include "dockerfile/mount_flag.h"
#include "dockerfile/suggest.h"
#include "gantry/base/text.h"
#include "gantry/base/time.h"

namespace gantry::build {

namespace {

bool has_variable(std::string_view text) { return text.find('$') != std::string_view::npos; }

class Checker {
 public:
  Checker(const Instruction& instruction, char escape, std::vector<Finding>& findings)
      : in_(instruction), escape_(escape), findings_(findings) {}

  void run() {
    syntax();
    switch (in_.keyword) {
      case Keyword::from:
        return from();
      case Keyword::arg:
      case Keyword::env:
        return names();
      case Keyword::run:
        return run_flags();
      case Keyword::copy:
      case Keyword::add:
        return copy();
      case Keyword::expose:
        return ports();
      case Keyword::stopsignal:
        return signal();
      case Keyword::healthcheck:
        return health();
      case Keyword::onbuild:
        return trigger();
      case Keyword::cmd:
      case Keyword::entrypoint:
      case Keyword::shell:
        return command();
      default:
        return;
    }
  }

 private:
  void report(const SourcePlace& place, std::string message) { findings_.push_back({place, std::move(message)}); }

  // Every variable set and not empty: what fails now fails whatever the values.
  void syntax_of(const Word& word) {
    try {
      expand_word(
          word.text, [](std::string_view) { return std::optional<std::string>("x"); }, escape_);
    } catch (const Error& error) {
      report(word.place, error.message());
    }
  }

  void syntax() {
    static constexpr std::array kExpanded = {Keyword::from, Keyword::copy,   Keyword::add,    Keyword::workdir,
                                             Keyword::user, Keyword::expose, Keyword::volume, Keyword::stopsignal};
    if (std::find(kExpanded.begin(), kExpanded.end(), in_.keyword) != kExpanded.end())
      for (const auto& word : in_.words) syntax_of(word);
    for (const auto& pair : in_.pairs) {
      syntax_of(pair.key);
      if (pair.value) syntax_of(*pair.value);
    }
    if (in_.keyword == Keyword::copy || in_.keyword == Keyword::add || in_.keyword == Keyword::from)
      for (const auto& flag : in_.flags) syntax_of(flag.value);
  }

  void from() {
    if (in_.words.size() == 1) return;
    if (lower(in_.words[1].text) != "as" || in_.words.size() != 3)
      report(in_.words[1].place, "FROM takes IMAGE, or IMAGE AS NAME");
  }

  void names() {
    for (const auto& pair : in_.pairs)
      if (pair.key.text.empty() || pair.key.text.find_first_of("\"' ") == 0)
        report(pair.key.place, "the name is empty");
  }

  void run_flags() {
    for (const auto& flag : in_.flags) {
      if (flag.name == "mount") mount(flag);
      if (flag.name == "network") network(flag);
      if (flag.name == "security" && flag.value.text != "sandbox")
        report(flag.place, flag.value.text == "insecure"
                               ? "RUN --security=insecure is refused: every step is isolated like any container, and a "
                                 "Dockerfile cannot change that; run what needs more in a container (--privileged)"
                               : "--security is sandbox, not \"" + flag.value.text + "\"");
    }
  }

  void mount(const Flag& flag) {
    if (has_variable(flag.value.text)) return;
    try {
      parse_mount_flag(flag.value.text);
    } catch (const Error& error) {
      report(flag.place, error.message());
    }
  }

  void network(const Flag& flag) {
    static constexpr std::array<std::string_view, 3> kModes = {"default", "none", "host"};
    if (std::find(kModes.begin(), kModes.end(), flag.value.text) == kModes.end())
      report(flag.place, "--network is default, none or host, not \"" + flag.value.text + "\"");
  }

  void boolean(const Flag& flag) {
    static constexpr std::array<std::string_view, 6> kValues = {"true", "false", "1", "0", "True", "False"};
    bool known = std::find(kValues.begin(), kValues.end(), flag.value.text) != kValues.end();
    if (flag.has_value && !known) report(flag.value.place, "--" + flag.name + " is true or false");
  }

  void copy_flag(const Flag& flag) {
    static constexpr std::array<std::string_view, 4> kSwitches = {"link", "parents", "unpack", "keep-git-dir"};
    if (std::find(kSwitches.begin(), kSwitches.end(), flag.name) != kSwitches.end()) return boolean(flag);
    if (flag.value.text.empty()) return report(flag.place, "--" + flag.name + " needs a value");
    if (flag.name == "from" && has_variable(flag.value.text))
      report(flag.value.place, "--from takes no variables: give the image a stage of its own (FROM $NAME AS ...)");
    if (flag.name == "chmod" && !has_variable(flag.value.text)) mode(flag);
  }

  void mode(const Flag& flag) {
    try {
      FileMode::parse(flag.value.text);
    } catch (const Error& error) {
      report(flag.value.place, "--chmod: " + error.message() + ": " + error.fix());
    }
  }

  void copy() {
    for (const auto& flag : in_.flags) copy_flag(flag);
    for (std::size_t i = 0; i + 1 < in_.words.size(); ++i) {
      const auto& word = in_.words[i];
      if (in_.keyword == Keyword::add && word.text.starts_with("file://"))
        report(word.place, "ADD takes files of the context by their paths there, not \"" + word.text + "\"");
      if (!is_remote_source(word.text)) continue;
      if (in_.keyword == Keyword::copy)
        report(word.place,
               "COPY takes files of the context, not a URL: ADD \"" + word.text + "\", or fetch it in a RUN");
    }
    bool many = in_.words.size() > 2;
    const auto& destination = in_.words.back();
    if (many && !has_variable(destination.text) && !destination.text.ends_with('/') && destination.text != "." &&
        !destination.text.ends_with("/.") && destination.text != "..")
      report(destination.place,
             "with several sources the destination \"" + destination.text + "\" must be a directory and end in \"/\"");
  }

  void ports() {
    for (const auto& word : in_.words)
      if (!has_variable(word.text) && !parse_ports(word.text))
        report(word.place, "\"" + word.text + "\" is not a port like 80, 80/tcp or 8000-8010/udp");
  }

  void signal() {
    const auto& word = in_.words.front();
    if (!has_variable(word.text) && !is_signal(word.text)) report(word.place, "\"" + word.text + "\" is not a signal");
  }

  void health() {
    for (const auto& flag : in_.flags) health_flag(flag);
    std::string first = in_.words.front().text;
    for (char& c : first) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    bool none = first == "NONE";
    if (in_.json || (first != "CMD" && !none)) {
      static constexpr std::array<std::string_view, 2> kForms = {"CMD", "NONE"};
      return report(in_.rest.place, "HEALTHCHECK takes CMD or NONE" + suggestion(in_.words.front().text, kForms));
    }
    if (none && (in_.words.size() > 1 || !in_.flags.empty()))
      report(in_.words.front().place, "HEALTHCHECK NONE takes no options or arguments");
    if (!none && in_.words.size() == 1) report(in_.words.front().place, "HEALTHCHECK CMD needs a command");
  }

  void health_flag(const Flag& flag) {
    const auto& text = flag.value.text;
    if (flag.name == "retries") {
      int count = 0;
      auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), count);
      if (failed != std::errc() || end != text.data() + text.size() || count < 0)
        report(flag.place, "--retries takes a number, not \"" + text + "\"");
      return;
    }
    auto duration = parse_duration(text);
    if (!duration || (duration->count() != 0 && *duration < std::chrono::milliseconds(1)))
      report(flag.place, "--" + flag.name + " takes a duration of 1ms or more like 30s, not \"" + text + "\"");
  }

  void trigger() {
    const auto& word = in_.words.front();
    std::string name = word.text;
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (name == "ONBUILD" || name == "FROM" || name == "MAINTAINER")
      return report(word.place, "ONBUILD " + name + " is not allowed");
    LogicalLine line(word.place.file);
    line.append(in_.rest.text, word.place.line, word.place.column);
    line.heredocs = in_.heredocs;
    parse_instruction(line, escape_, findings_);
  }

  void command() {
    if (in_.keyword == Keyword::shell && !in_.words.empty() && in_.words.front().text.empty())
      report(in_.rest.place, "SHELL needs a program");
  }

  const Instruction& in_;
  char escape_;
  std::vector<Finding>& findings_;
};

std::optional<unsigned> number_in(std::string_view text, unsigned most) {
  unsigned value = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size() || value > most) return std::nullopt;
  return value;
}

}  // namespace

void check_instruction(const Instruction& instruction, char escape, std::vector<Finding>& findings) {
  Checker(instruction, escape, findings).run();
}

bool is_signal(std::string_view text) {
  static constexpr std::array<std::string_view, 33> kNames = {
      "HUP",  "INT",  "QUIT", "ILL",  "TRAP", "ABRT",   "IOT",  "BUS",   "FPE",  "KILL", "USR1",
      "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CLD",   "CONT", "STOP", "TSTP",
      "TTIN", "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",   "PWR",  "SYS"};
  if (auto number = number_in(text, 64)) return *number > 0;
  std::string name(text);
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (name.starts_with("SIG")) name.erase(0, 3);
  if (std::find(kNames.begin(), kNames.end(), name) != kNames.end()) return true;
  if (name == "RTMIN" || name == "RTMAX" || name == "POLL") return true;
  if (name.starts_with("RTMIN+")) return number_in(std::string_view(name).substr(6), 30).has_value();
  return name.starts_with("RTMAX-") && number_in(std::string_view(name).substr(6), 30).has_value();
}

std::optional<std::vector<std::string>> parse_ports(std::string_view text) {
  auto slash = text.find('/');
  auto protocol = lower(slash == std::string_view::npos ? "tcp" : text.substr(slash + 1));
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") return std::nullopt;
  auto range = text.substr(0, slash);
  auto dash = range.find('-');
  auto first = number_in(range.substr(0, dash), 65535);
  auto last = dash == std::string_view::npos ? first : number_in(range.substr(dash + 1), 65535);
  if (!first || !last || *first == 0 || *last < *first) return std::nullopt;
  std::vector<std::string> ports;
  for (unsigned port = *first; port <= *last; ++port) ports.push_back(std::to_string(port) + "/" + protocol);
  return ports;
}

bool is_git_source(std::string_view text) {
  if (text.starts_with("git://") || text.starts_with("ssh://") || text.starts_with("git@")) return true;
  auto path = text.substr(0, text.find_first_of("#?"));
  return is_remote_source(text) && path.ends_with(".git");
}

bool is_remote_source(std::string_view text) {
  for (std::string_view scheme : {"http://", "https://", "git://", "ssh://", "git@"})
    if (text.starts_with(scheme)) return true;
  return false;
}

}  // namespace gantry::build
