#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/base/ids.h"
#include "layer/copy_step.h"
#include "layer/id_maps.h"
#include "layer/run_upper.h"
#include "layer/upper_writer.h"
#include "plan/variables.h"
#include "session.h"

/// The RUN steps of a build: what they are shown, and what they leave.
namespace gantry::build {

namespace fs = std::filesystem;

namespace {

// What a mount is, for the cache: its content is added apart, and what is in a cache mount decides nothing.
void add_mount(KeyBuilder& key, const MountPlan& mount) {
  const auto& flag = mount.flag;
  key.add("mount").add(std::to_string(static_cast<int>(flag.kind))).add(mount.target).add(flag.id).add(flag.env);
  key.add(flag.read_only ? "ro" : "rw").add(flag.size ? std::to_string(*flag.size) : "");
}

SourceMatch only_match(const MountPlan& mount, const TreeView& view, const std::string& where) {
  std::vector<Finding> findings;
  auto matches = find_sources({mount.source}, view, where, findings);
  if (findings.empty() && matches.size() != 1)
    findings.push_back({mount.source.place, "--mount: \"" + mount.source.text + "\" is not one file or directory"});
  if (!findings.empty()) throw Error(ErrorKind::invalid, findings.front().message, std::move(findings));
  return matches.front();
}

// The names that the mount needs and the image does not have: they are made for the step and are no part of it.
void add_stubs(std::vector<std::vector<std::string>>& stubs, const TreeView& image, const std::string& target) {
  auto found = image.resolve(target, true);
  auto path = found.path;
  std::vector<std::vector<std::string>> made;
  for (const auto& name : found.missing) {
    path.push_back(name);
    made.push_back(path);
  }
  stubs.insert(stubs.end(), made.rbegin(), made.rend());
}

// Quoted for a shell, whatever is in it.
std::string shell_quoted(const std::string& text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

constexpr auto kVariables = "/run/.gantry-variables";

}  // namespace

// A copy, unless what is there can be shown as it is: writes of the step must not be seen by the next one.
fs::path Session::show(const MountPlan& mount) {
  auto view = source_view(mount.from);
  auto match = only_match(mount, view, source_name(mount.from));
  bool as_it_is = mount.from.is_context() && !included_ && mount.flag.read_only;
  if (as_it_is) return context_ / match.path;
  auto directory = scratch_->path() / ("bind-" + random_hex(8));
  make_directories(directory, 0755);
  return copy_out(mount, view, match, directory);
}

fs::path Session::copy_out(const MountPlan& mount, const TreeView& view, const SourceMatch& match,
                           const fs::path& into) {
  Look look;
  if (mount.from.is_context()) look.owner = oci::Owner{};
  TreeView target({into});
  UpperWriter writer(into, target, look);
  auto node = open_match(view, match);
  if (node.is_directory()) {
    writer.copy_children(view, node, match.path, {});
    return into;
  }
  writer.copy(view, node, match.path, {"file"});
  return into / "file";
}

void Session::prepare_cache(const MountPlan& plan, const fs::path& directory) {
  if (fs::exists(directory)) return;
  // Of its own: steps that share the cache may be here at the same time.
  TemporaryDirectory fresh(directory.parent_path(), "new-");
  const auto& made = fresh.path();
  if (plan.has_source()) {
    auto view = source_view(plan.from);
    auto match = only_match(plan, view, source_name(plan.from));
    if (!match.directory)
      throw Error(ErrorKind::invalid, "--mount: the source of a cache, \"" + plan.source.text + "\", is no directory");
    copy_out(plan, view, match, made);
  }
  if (::chmod(made.c_str(), plan.flag.mode.value_or(0755)) < 0) throw_errno("set the mode of a cache mount");
  if (::chown(made.c_str(), plan.flag.uid.value_or(0), plan.flag.gid.value_or(0)) < 0)
    throw_errno("set the owner of a cache mount");
  // Another may have been faster.
  if (::rename(made.c_str(), directory.c_str()) < 0 && errno != EEXIST && errno != ENOTEMPTY)
    throw_errno("publish a cache mount");
}

std::string Session::top_layer(const PlannedStage& stage) {
  const auto& layers = progress_of(stage).layers;
  return layers.empty() ? "" : layers.back();
}

// Not mapped ids (tmpfs before Linux 6.3) make everybody in the step "others".
fs::path Session::memory_file(const std::string& content, const MountFlag& flag) {
  if (places_.memory.empty())
    throw Error(ErrorKind::unsupported, "there is no directory in memory to show secrets from",
                "start gantryd with its run directory on a tmpfs, such as /run");
  {
    std::lock_guard lock(mutex_);
    if (!memory_) memory_.emplace(places_.memory, "build-");
  }
  auto path = memory_->path() / random_hex(8);
  write_file(path, content, 0600);
  auto mode = flag.mode.value_or(0400) | (maps_ids_in_memory() ? 0 : 0444);
  if (::chmod(path.c_str(), mode) < 0 || ::chown(path.c_str(), flag.uid.value_or(0), flag.gid.value_or(0)) < 0)
    throw_errno("set the mode of a secret");
  return path;
}

// A variable is read by the shell of the step from a file in memory: the environment of a container is written down.
void Session::lend(const MountPlan& plan, Prepared& out) {
  auto& request = *out.run;
  const auto& grants = *options_.grants;
  if (plan.flag.kind == MountKind::ssh) {
    request.mounts.push_back({grants.agents.at(plan.flag.id), plan.target, true, {}});
    if (!find_variable(request.environment, "SSH_AUTH_SOCK"))
      set_variable(request.environment, "SSH_AUTH_SOCK", plan.target);
    return;
  }
  const auto& content = grants.secrets.at(plan.flag.id);
  if (!plan.target.empty())
    request.mounts.push_back({memory_file(content, plan.flag), plan.target, plan.flag.read_only, {}});
  if (plan.flag.env.empty()) return;
  if (content.find('\0') != std::string::npos)
    throw Error(ErrorKind::invalid, "the secret " + plan.flag.id + " has a zero byte, which no variable can have",
                "mount it as a file (target=...)");
  out.variables += "export " + plan.flag.env + "=" + shell_quoted(content) + "\n";
}

void Session::add_mounts(const RunPlan& run, Work& work, Prepared& out) {
  auto all = paths_of(out.run->layers);
  all.push_back(work.upper());
  auto& stubs = work.stubs;
  TreeView image(all);
  for (const auto& plan : run.mounts) {
    bool lent = plan.flag.kind == MountKind::secret || plan.flag.kind == MountKind::ssh;
    if (lent) {
      lend(plan, out);
      if (!plan.target.empty()) add_stubs(stubs, image, plan.target);
      continue;
    }
    RunMount mount{{}, plan.target, plan.flag.read_only, plan.flag.size};
    if (plan.flag.kind == MountKind::bind) mount.source = show(plan);
    if (plan.flag.kind == MountKind::cache) out.caches.push_back({out.run->mounts.size(), plan});
    out.run->mounts.push_back(std::move(mount));
    add_stubs(stubs, image, plan.target);
  }
  if (out.variables.empty()) return;
  MountFlag readable;
  readable.mode = 0444;
  out.run->mounts.push_back({memory_file(out.variables, readable), kVariables, true, {}});
  add_stubs(stubs, image, kVariables);
  std::vector<std::string> argv{"/bin/sh", "-c", std::string(". ") + kVariables + " && exec \"$@\"", "sh"};
  argv.insert(argv.end(), out.run->argv.begin(), out.run->argv.end());
  out.run->argv = std::move(argv);
}

Session::Prepared Session::begin_run(const PlannedStage& stage, const PlannedStep& step) {
  const auto& run = *step.run;
  auto layers = progress_of(stage).layers;
  auto network = run.network.empty() ? options_.network : run.network;
  if (network.empty()) network = "default";
  auto key = key_of(layers, "run");
  key.add(run.argv).add(run.script).add(run.key_environment).add(run.user).add(run.working_dir);
  for (const auto& mount : run.mounts) {
    add_mount(key, mount);
    if (mount.flag.kind != MountKind::bind) continue;
    auto view = source_view(mount.from);
    auto match = only_match(mount, view, source_name(mount.from));
    key.add(digest_of({match}, view, !mount.from.is_context()));
  }
  if (network != "default") key.add("network").add(network);
  Prepared out;
  out.key = key.finish();
  out.cached = from_cache(stage, step, out.key);
  if (out.cached) return out;
  auto& work = progress_of(stage).work;
  if (work) drop(*work);
  work = new_work(layers);
  RunRequest request{layers, work->upper(), work->work(), run.argv, run.environment, run.user, run.working_dir};
  request.network = network;
  request.extra_hosts = options_.extra_hosts;
  request.limits = options_.limits;
  request.ulimits = options_.ulimits;
  if (!run.script.empty()) request.argv = {"/" + place_script(work->upper(), run.script)};
  out.run = std::move(request);
  add_mounts(run, *work, out);
  return out;
}

void Session::finish_run(const PlannedStage& stage, const PlannedStep& step, const std::string& key) {
  auto work = *progress_of(stage).work;
  remove_script(work.upper());
  for (const auto& path : work.stubs) remove_if_empty(work.upper(), path);
  const auto& layers = progress_of(stage).layers;
  if (layers.empty()) {
    remove_mount_points(work.upper(), nullptr);
  } else {
    TreeView below(paths_of(layers));
    remove_mount_points(work.upper(), &below);
  }
  take_layer(stage, step, key, work);
  progress_of(stage).work.reset();
}

}  // namespace gantry::build
