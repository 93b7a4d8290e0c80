#include "plan/stage_planner.h"

#include <algorithm>
#include <array>

#include "dockerfile/checks.h"
#include "dockerfile/expand.h"
#include "plan/paths.h"

namespace gantry::build {

StagePlanner::StagePlanner(StageState state, Arguments& arguments, const Grants* grants, const FindImage& find_image,
                           StageFor stage_for, char escape, std::vector<Finding>& findings)
    : state_(std::move(state)),
      arguments_(arguments),
      grants_(grants),
      find_image_(find_image),
      stage_for_(std::move(stage_for)),
      escape_(escape),
      findings_(findings) {}

namespace {

std::string last_component(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

StagePlanner::Handler StagePlanner::handler_of(Keyword keyword) {
  static constexpr std::array<std::pair<Keyword, Handler>, 17> kHandlers = {{
      {Keyword::arg, &StagePlanner::arg},
      {Keyword::env, &StagePlanner::env},
      {Keyword::label, &StagePlanner::label},
      {Keyword::run, &StagePlanner::run},
      {Keyword::copy, &StagePlanner::copy},
      {Keyword::add, &StagePlanner::copy},
      {Keyword::workdir, &StagePlanner::workdir},
      {Keyword::user, &StagePlanner::user},
      {Keyword::expose, &StagePlanner::expose},
      {Keyword::volume, &StagePlanner::volume},
      {Keyword::cmd, &StagePlanner::cmd},
      {Keyword::entrypoint, &StagePlanner::entrypoint},
      {Keyword::healthcheck, &StagePlanner::healthcheck},
      {Keyword::stopsignal, &StagePlanner::stopsignal},
      {Keyword::shell, &StagePlanner::shell},
      {Keyword::onbuild, &StagePlanner::onbuild},
      {Keyword::maintainer, &StagePlanner::maintainer},
  }};
  for (auto [key, handler] : kHandlers)
    if (key == keyword) return handler;
  return nullptr;
}

void StagePlanner::apply(const Instruction& instruction) {
  auto handler = handler_of(instruction.keyword);
  if (handler == nullptr) return report(instruction.place, "FROM is not allowed here");
  PlannedStep step;
  step.text = instruction.text;
  step.place = instruction.place;
  step.history = instruction.text;
  (this->*handler)(instruction, step);
  steps_.push_back(std::move(step));
}

void StagePlanner::report(const SourcePlace& place, std::string message) {
  findings_.push_back({place, std::move(message)});
}

// ENV wins over ARG, always.
std::optional<std::string> StagePlanner::lookup(std::string_view name) const {
  if (auto value = find_variable(state_.config.config.Env, name)) return value;
  if (auto found = state_.arguments.find(std::string(name)); found != state_.arguments.end()) return found->second;
  return std::nullopt;
}

std::string StagePlanner::expand(const Word& word) {
  try {
    return expand_word(
        word.text, [this](std::string_view name) { return lookup(name); }, escape_);
  } catch (const Error& error) {
    report(word.place, error.message());
    return {};
  }
}

std::string StagePlanner::absolute(const std::string& path) const {
  return join_path(state_.config.config.WorkingDir, path);
}

void StagePlanner::arg(const Instruction& in, PlannedStep&) {
  for (const auto& pair : in.pairs) {
    auto fallback = pair.value ? std::optional(expand(*pair.value)) : std::nullopt;
    auto value = arguments_.in_stage(pair.key.text, fallback);
    if (value) state_.arguments[pair.key.text] = *value;
  }
}

// All values of one ENV see the variables as they were before it.
void StagePlanner::env(const Instruction& in, PlannedStep&) {
  auto environment = state_.config.config.Env;
  for (const auto& pair : in.pairs) set_variable(environment, expand(pair.key), expand(*pair.value));
  state_.config.config.Env = std::move(environment);
}

void StagePlanner::label(const Instruction& in, PlannedStep&) {
  for (const auto& pair : in.pairs) state_.config.config.Labels[expand(pair.key)] = expand(*pair.value);
}

std::vector<std::string> StagePlanner::shell_words() const {
  return state_.config.config.Shell.value_or(std::vector<std::string>{"/bin/sh", "-c"});
}

std::vector<std::string> StagePlanner::command(const Instruction& in) const {
  std::vector<std::string> argv;
  if (in.json) {
    for (const auto& word : in.words) argv.push_back(word.text);
    return argv;
  }
  argv = shell_words();
  argv.push_back(in.rest.text);
  return argv;
}

RunPlan StagePlanner::run_plan() const {
  constexpr auto kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  RunPlan plan;
  for (const auto& [name, value] : state_.arguments) set_variable(plan.environment, name, value);
  for (const auto& entry : state_.config.config.Env)
    set_variable(plan.environment, entry.substr(0, entry.find('=')), entry.substr(entry.find('=') + 1));
  if (!find_variable(plan.environment, "PATH")) set_variable(plan.environment, "PATH", kPath);
  plan.key_environment = plan.environment;
  for (const auto& [name, value] : arguments_.given())
    if (is_proxy_argument(name) && !find_variable(plan.environment, name)) set_variable(plan.environment, name, value);
  plan.user = state_.config.config.User;
  plan.working_dir = state_.config.config.WorkingDir.empty() ? "/" : state_.config.config.WorkingDir;
  return plan;
}

void StagePlanner::run(const Instruction& in, PlannedStep& step) {
  auto plan = run_plan();
  plan.argv = command(in);
  for (const auto& flag : in.flags) {
    if (flag.name == "mount") run_mount(flag, plan);
    if (flag.name == "network") plan.network = flag.value.text;
  }
  bool script_only = in.heredocs.size() == 1 && in.rest.text == in.heredocs[0].word;
  if (script_only) {
    const auto& content = in.heredocs[0].content;
    plan.argv.back() = content;
    if (content.starts_with("#!")) plan.script = content;
  } else if (!in.json && !in.heredocs.empty()) {
    plan.argv.back() += "\n" + in.heredoc_text;
  }
  std::string history = "RUN ";
  std::size_t count = 0;
  std::string values;
  for (const auto& [name, value] : state_.arguments) {
    if (is_proxy_argument(name)) continue;
    values += name + "=" + value + " ";
    ++count;
  }
  if (count > 0) history += "|" + std::to_string(count) + " " + values;
  for (const auto& word : plan.argv) history += word + " ";
  history.pop_back();
  step.history = history;
  step.run = std::move(plan);
}

void StagePlanner::copy(const Instruction& in, PlannedStep& step) {
  CopyPlan plan;
  plan.extract_archives = in.keyword == Keyword::add;
  copy_flags(in, plan);
  copy_words(in, plan);
  step.copy = std::move(plan);
}

void StagePlanner::copy_flags(const Instruction& in, CopyPlan& plan) {
  if (const auto* owner = in.flag("chown")) plan.owner = expand(owner->value);
  if (const auto* from = in.flag("from")) plan.from = origin_of(from->value);
  plan.parents = switched_on(in, "parents");
  plan.link = switched_on(in, "link");
  if (in.keyword == Keyword::add && in.flag("unpack") != nullptr) {
    plan.extract_archives = switched_on(in, "unpack");
    plan.extract_remote = plan.extract_archives;
  }
  for (const auto& flag : in.flags)
    if (flag.name == "exclude") plan.excludes.push_back(expand(flag.value));
  const auto* flag = in.flag("chmod");
  if (flag == nullptr) return;
  auto text = expand(flag->value);
  try {
    plan.mode = FileMode::parse(text);
  } catch (const Error& error) {
    report(flag->value.place, "--chmod: " + error.message() + ": " + error.fix());
  }
}

bool StagePlanner::switched_on(const Instruction& in, std::string_view name) const {
  const auto* flag = in.flag(name);
  if (flag == nullptr) return false;
  return !flag->has_value || flag->value.text == "true" || flag->value.text == "True" || flag->value.text == "1";
}

Origin StagePlanner::origin_of(const Word& name) {
  Origin out;
  out.stage = stage_for_(name);
  if (out.stage) return out;
  try {
    out.image = find_image_(name.text, arguments_.target());
  } catch (const Error& error) {
    report(name.place, "\"" + name.text + "\" is neither an earlier stage nor an image here: " + error.message());
  }
  return out;
}

void StagePlanner::run_mount(const Flag& flag, RunPlan& plan) {
  MountPlan mount;
  try {
    mount.flag = parse_mount_flag(expand(flag.value));
  } catch (const Error& error) {
    return report(flag.place, error.message());
  }
  if (mount.flag.kind == MountKind::secret || mount.flag.kind == MountKind::ssh)
    return lent_mount(flag, std::move(mount), plan);
  mount.target = clean_path(absolute(mount.flag.target));
  if (mount.target == "/") return report(flag.place, "--mount: the target cannot be the root");
  mount.source = {mount.flag.source.empty() ? "/" : mount.flag.source, flag.place};
  if (!mount.flag.from.empty()) mount.from = origin_of({mount.flag.from, flag.place});
  plan.mounts.push_back(std::move(mount));
}

// What the client does not lend a step does without, unless it says that it cannot.
void StagePlanner::lent_mount(const Flag& flag, MountPlan mount, RunPlan& plan) {
  auto& wanted = mount.flag;
  bool agent = wanted.kind == MountKind::ssh;
  if (wanted.id.empty())
    wanted.id = agent ? "default" : last_component(wanted.target.empty() ? wanted.env : wanted.target);
  bool there =
      grants_ != nullptr && (agent ? grants_->agents.contains(wanted.id) : grants_->secrets.contains(wanted.id));
  if (!there) {
    auto what = agent ? "the SSH agent \"" + wanted.id + "\"" : "the secret \"" + wanted.id + "\"";
    auto option = agent ? "--ssh " + wanted.id : "--secret id=" + wanted.id + ",src=FILE";
    if (wanted.required) report(flag.place, what + " is required, and this build was given none: " + option);
    return;
  }
  auto number = std::count_if(plan.mounts.begin(), plan.mounts.end(),
                              [](const auto& other) { return other.flag.kind == MountKind::ssh; });
  if (!wanted.target.empty()) mount.target = clean_path(absolute(wanted.target));
  if (agent && mount.target.empty()) mount.target = "/run/buildkit/ssh_agent." + std::to_string(number);
  if (!agent && mount.target.empty() && wanted.env.empty()) mount.target = "/run/secrets/" + wanted.id;
  if (mount.target == "/") return report(flag.place, "--mount: the target cannot be the root");
  plan.mounts.push_back(std::move(mount));
}

void StagePlanner::remote_source(const Instruction& in, const Word& word, CopyPlan& plan) {
  auto url = expand(word);
  RemoteFile file{url, "", "", word.place, {}, switched_on(in, "keep-git-dir")};
  const auto* checksum = in.flag("checksum");
  if (checksum != nullptr) file.checksum = expand(checksum->value);
  try {
    file.git = parse_git_source(url);
    if (checksum != nullptr && !file.git) oci::Digest::parse(file.checksum);
  } catch (const Error& error) {
    return report(checksum != nullptr ? checksum->value.place : word.place, error.message());
  }
  if (file.git) return plan.remote.push_back(std::move(file));
  auto path = url.substr(0, url.find_first_of("?#"));
  file.name = path.substr(path.rfind('/') + 1);
  if (path.find('/', path.find("://") + 3) == std::string::npos) file.name.clear();
  if (file.name.empty() && in.words.back().text.ends_with('/'))
    return report(word.place, "\"" + url + "\" names no file: end the destination in the file's name");
  plan.remote.push_back(std::move(file));
}

void StagePlanner::copy_words(const Instruction& in, CopyPlan& plan) {
  for (std::size_t i = 0; i + 1 < in.words.size(); ++i) {
    const auto& word = in.words[i];
    auto heredoc = std::find_if(in.heredocs.begin(), in.heredocs.end(),
                                [&](const Heredoc& candidate) { return candidate.word == word.text; });
    if (heredoc == in.heredocs.end() && in.keyword == Keyword::add && is_remote_source(expand(word))) {
      remote_source(in, word, plan);
    } else if (heredoc == in.heredocs.end()) {
      plan.sources.push_back({expand(word), word.place});
    } else if (heredoc->expand) {
      try {
        plan.files.push_back({heredoc->name, expand_heredoc(heredoc->content, [this](auto n) { return lookup(n); })});
      } catch (const Error& error) {
        report(word.place, error.message());
      }
    } else {
      plan.files.push_back({heredoc->name, heredoc->content});
    }
  }
  auto written = expand(in.words.back());
  if (written.empty()) return report(in.words.back().place, "the destination is empty");
  auto joined = absolute(written);
  plan.destination = clean_path(joined);
  if (joined.ends_with('/') && plan.destination != "/") plan.destination += '/';
  if (in.flag("checksum") != nullptr && plan.remote.empty()) report(in.place, "--checksum is for a URL");
  bool several = plan.sources.size() + plan.files.size() + plan.remote.size() > 1;
  if (several && !plan.destination.ends_with('/'))
    report(in.words.back().place,
           "with several sources the destination \"" + written + "\" must be a directory and end in \"/\"");
}

void StagePlanner::workdir(const Instruction& in, PlannedStep& step) {
  auto written = expand(in.words.front());
  if (written.empty()) return report(in.words.front().place, "the directory is empty");
  auto path = clean_path(absolute(written));
  state_.config.config.WorkingDir = path;
  step.directory = DirectoryPlan{path, state_.config.config.User};
}

void StagePlanner::user(const Instruction& in, PlannedStep&) {
  auto name = expand(in.words.front());
  if (name.empty()) report(in.words.front().place, "the user is empty");
  state_.config.config.User = name;
}

void StagePlanner::expose(const Instruction& in, PlannedStep&) {
  for (const auto& word : in.words) {
    auto expanded = expand(word);
    for (const auto& part : split_blanks(expanded, 0)) {
      auto ports = parse_ports(part.text);
      if (!ports) {
        report(word.place, "\"" + part.text + "\" is not a port like 80, 80/tcp or 8000-8010/udp");
        continue;
      }
      for (const auto& port : *ports) state_.config.config.ExposedPorts[port];
    }
  }
}

void StagePlanner::volume(const Instruction& in, PlannedStep&) {
  for (const auto& word : in.words) {
    auto path = in.json ? word.text : expand(word);
    if (path.empty()) {
      report(word.place, "the path of a volume is empty");
    } else {
      state_.config.config.Volumes[path];
    }
  }
}

void StagePlanner::cmd(const Instruction& in, PlannedStep&) {
  bool none = !in.json && in.rest.text.empty();
  state_.config.config.Cmd = none ? std::vector<std::string>{} : command(in);
  own_cmd_ = true;
}

// A CMD that came with the base image is meant for the base image's ENTRYPOINT.
void StagePlanner::entrypoint(const Instruction& in, PlannedStep&) {
  bool none = !in.json && in.rest.text.empty();
  state_.config.config.Entrypoint = none ? std::vector<std::string>{} : command(in);
  if (!own_cmd_) state_.config.config.Cmd.reset();
}

void StagePlanner::healthcheck(const Instruction& in, PlannedStep&) {
  oci::HealthConfig health;
  auto nanoseconds = [&](std::string_view name) -> std::optional<std::int64_t> {
    const auto* flag = in.flag(name);
    if (flag == nullptr) return std::nullopt;
    return parse_duration(flag->value.text)->count();
  };
  if (in.words.size() == 1) {
    health.Test = {"NONE"};
  } else {
    auto text = in.rest.text.substr(in.words[0].text.size());
    text.erase(0, text.find_first_not_of(" \t"));
    auto parsed = json_strings(text);
    health.Test = parsed ? std::vector<std::string>{"CMD"} : std::vector<std::string>{"CMD-SHELL", text};
    if (parsed) health.Test.insert(health.Test.end(), parsed->begin(), parsed->end());
  }
  health.Interval = nanoseconds("interval");
  health.Timeout = nanoseconds("timeout");
  health.StartPeriod = nanoseconds("start-period");
  health.StartInterval = nanoseconds("start-interval");
  if (const auto* retries = in.flag("retries")) health.Retries = std::stoi(retries->value.text);
  state_.config.config.Healthcheck = std::move(health);
}

void StagePlanner::stopsignal(const Instruction& in, PlannedStep&) {
  auto signal = expand(in.words.front());
  if (!is_signal(signal)) report(in.words.front().place, "\"" + signal + "\" is not a signal");
  state_.config.config.StopSignal = signal;
}

void StagePlanner::shell(const Instruction& in, PlannedStep&) {
  std::vector<std::string> words;
  for (const auto& word : in.words) words.push_back(word.text);
  state_.config.config.Shell = std::move(words);
}

void StagePlanner::onbuild(const Instruction& in, PlannedStep&) {
  auto trigger = in.rest.text;
  if (!in.heredoc_text.empty()) trigger += "\n" + in.heredoc_text;
  state_.config.config.OnBuild.push_back(std::move(trigger));
}

void StagePlanner::maintainer(const Instruction& in, PlannedStep&) { state_.config.author = in.rest.text; }

}  // namespace gantry::build
