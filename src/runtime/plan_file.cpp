#include "plan_file.h"

#include <unistd.h>

#include "paths.h"
#include "spec.h"

namespace gantry::runtime {
namespace {

std::uint32_t on_host(std::uint32_t inside, const std::optional<IdRange>& range) {
  if (!range) return inside;
  if (inside >= range->size)
    throw Error(ErrorKind::invalid,
                "user or group id " + std::to_string(inside) + " is outside the container's user namespace (0 to " +
                    std::to_string(range->size - 1) + ")",
                "use a lower id, or the host's user namespace");
  return range->host + inside;
}

void add_streams(Words& words, bool tty, bool open_stdin, std::uint32_t uid, std::uint32_t gid,
                 const std::optional<IdRange>& range) {
  if (tty) words.add("tty");
  if (open_stdin) words.add("stdin");
  words.add("owner", on_host(uid, range), on_host(gid, range));
}

// What the container's namespace does not know belongs to nobody in it.
std::uint32_t owner_on_host(std::uint32_t inside, const std::optional<IdRange>& range) {
  constexpr std::uint32_t kNobody = 65534;
  return range ? range->host + (inside < range->size ? inside : kNobody) : inside;
}

void add_node(Words& words, const DeviceNode& node, const std::optional<IdRange>& range) {
  words.add("node", std::string(1, node.type), node.major, node.minor, node.mode, owner_on_host(node.uid, range),
            owner_on_host(node.gid, range));
}

bool is_shared(const PlannedMount& mount) {
  return mount.propagation == MountPropagation::shared || mount.propagation == MountPropagation::rshared;
}

void add_binds(Words& words, const Plan& plan, const Config& config) {
  auto flags = [&](bool id_mapped, bool read_only, bool recursive) {
    std::string text = recursive ? "r" : "";
    if (id_mapped && plan.user_namespace) text += 'i';
    if (read_only) text += 'o';
    return text;
  };
  for (const auto& mount : plan.mounts)
    if (mount.kind == PlannedMount::Kind::bind) {
      // In the files of another process no link is followed.
      auto source = is_shared(mount) ? std::filesystem::canonical(mount.source).string() : mount.source;
      words.add("bind", flags(mount.id_mapped, mount.read_only, mount.recursive), source);
      if (!mount.beneath.empty()) words.add("beneath", mount.beneath);
      if (mount.node) add_node(words, *mount.node, plan.user_namespace);
      // The shim's own files only follow the host's, so what is to lead there is taken from ours.
      if (auto seen_by = is_shared(mount) ? ::getpid() : mount.seen_by; seen_by != 0) words.add("seen-by", seen_by);
    }
  if (plan.init) words.add("bind", flags(false, true, true), config.init.string());
}

}  // namespace

Words container_plan(const Plan& plan, const Config& config, const std::vector<std::string>& cgroups,
                     const std::vector<Plan::Limit>& limits) {
  Words words;
  words.add("crun", config.crun.string());
  words.add("crun-root", kLauncherRootFromContainer);
  words.add("id", plan.id.str());
  words.add("state", plan.state_dir.string());
  words.add("log", plan.log_max_size, plan.log_max_files);
  add_streams(words, plan.tty, plan.open_stdin, plan.uid, plan.gid, plan.user_namespace);
  // The native launcher's shim knows these from its early plan.
  if (plan.launcher == Launcher::crun) {
    if (plan.user_namespace) words.add("map", plan.user_namespace->host, plan.user_namespace->size);
    for (const auto& cgroup : cgroups) words.add("cgroup", cgroup);
  }
  words.add("upper", plan.upper.string());
  words.add("work", plan.work.string());
  for (const auto& layer : plan.layers) words.add("layer", layer.string());
  add_binds(words, plan, config);
  for (const auto& limit : limits) words.add("rlimit", rlimit_number(limit.name), limit.soft, limit.hard);
  return words;
}

Words exec_plan(const ContainerId& id, const ExecPlan& plan, const Config& config,
                const std::optional<IdRange>& user_namespace, std::optional<pid_t> container, bool has_base) {
  Words words;
  if (has_base) words.add("over", kBaseFromExec);
  if (container) words.add("pid", *container);
  words.add("exec");
  words.add("crun", config.crun.string());
  words.add("crun-root", kLauncherRootFromExec);
  words.add("id", id.str());
  add_streams(words, plan.tty, plan.open_stdin, plan.uid, plan.gid, user_namespace);
  return words;
}

}  // namespace gantry::runtime
