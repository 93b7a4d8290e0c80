#include "plan.h"

#include <algorithm>
#include <cctype>

#include "id_range.h"

namespace gantry::engine {
namespace {

constexpr char kDefaultPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string rlimit_name(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
  return "RLIMIT_" + name;
}

runtime::PlannedMount planned(const Mount& mount, const PlanInputs& inputs) {
  using Kind = runtime::PlannedMount::Kind;
  runtime::PlannedMount out;
  out.target = mount.target;
  out.read_only = mount.read_only;
  switch (mount.type) {
    case MountType::tmpfs:
      out.kind = Kind::tmpfs;
      out.size = mount.tmpfs_size;
      out.mode = mount.tmpfs_mode;
      break;
    case MountType::bind:
      out.source = mount.source;
      break;
    case MountType::volume:
      out.source = inputs.volume_paths.at(mount.source);
      break;
  }
  return out;
}

// The engine's own files come first, so that a user's mount on the same place wins.
std::vector<runtime::PlannedMount> plan_mounts(const Record& record, const PlanInputs& inputs) {
  std::vector<runtime::PlannedMount> out;
  for (const char* name : {"hosts", "hostname", "resolv.conf"}) {
    runtime::PlannedMount mount;
    mount.source = (inputs.paths.root / name).string();
    mount.target = std::string("/etc/") + name;
    out.push_back(std::move(mount));
  }
  for (const auto& mount : record.internals.resolved.mounts) {
    std::erase_if(out, [&](const auto& own) { return own.target == mount.target; });
    out.push_back(planned(mount, inputs));
  }
  return out;
}

void set_isolation(const Security& security, const Record& record, const PlanInputs& inputs, runtime::Plan* plan) {
  if (record.internals.id_slot) plan->user_namespace = id_range(*record.internals.id_slot);
  plan->privileged = security.privileged;
  plan->default_seccomp = security.seccomp == Seccomp::default_ && !security.privileged;
  plan->no_new_privileges = security.no_new_privileges && !security.privileged;
  plan->mask_paths = !security.unmask_paths && !security.privileged;
  plan->capabilities = final_capabilities(security, inputs.capabilities);
  // Without a user namespace there is no other owner to map to.
  if (!plan->user_namespace)
    for (auto& mount : plan->mounts) mount.id_mapped = false;
}

void set_resources(const Resources& resources, runtime::Plan* plan) {
  plan->memory = resources.memory;
  plan->memory_swap = resources.memory_swap;
  plan->memory_reservation = resources.memory_reservation;
  plan->cpus = resources.cpus;
  plan->cpu_shares = resources.cpu_shares;
  plan->cpuset = resources.cpuset;
  plan->pids = resources.pids;
  plan->shm_size = resources.shm_size;
}

}  // namespace

std::filesystem::path upper_of(const Record& record, const ContainerPaths& paths) {
  return record.internals.upper.empty() ? paths.upper() : std::filesystem::path(record.internals.upper);
}

std::string hostname_of(const ContainerInfo& info) {
  return info.spec.hostname.empty() ? short_id(info.id) : info.spec.hostname;
}

std::vector<std::string> full_environment(const Record& record, const std::string& home, bool tty) {
  std::vector<std::string> base = {kDefaultPath, "HOSTNAME=" + hostname_of(record.info), "HOME=" + home};
  if (tty) base.push_back("TERM=xterm");
  return merge_environment(std::move(base), record.internals.resolved.environment);
}

runtime::Plan make_plan(const Record& record, const PlanInputs& inputs) {
  const auto& spec = record.info.spec;
  const auto& resolved = record.internals.resolved;
  runtime::Plan plan;
  plan.id = record.info.id;
  if (spec.runtime == "crun") plan.launcher = runtime::Launcher::crun;
  plan.layers = inputs.layers;
  plan.upper = upper_of(record, inputs.paths);
  plan.work = record.internals.work.empty() ? inputs.paths.work() : std::filesystem::path(record.internals.work);
  plan.read_only_root = spec.read_only;
  plan.mounts = plan_mounts(record, inputs);
  plan.argv = resolved.argv;
  plan.environment = full_environment(record, inputs.user.home, spec.tty);
  plan.working_dir = resolved.working_dir;
  plan.uid = inputs.user.uid;
  plan.gid = inputs.user.gid;
  plan.groups.assign(inputs.user.groups.begin(), inputs.user.groups.end());
  plan.hostname = hostname_of(record.info);
  plan.tty = spec.tty;
  plan.open_stdin = spec.open_stdin;
  plan.init = spec.init;
  plan.sysctls = spec.sysctls;
  for (const auto& limit : spec.ulimits) plan.rlimits.push_back({rlimit_name(limit.name), limit.soft, limit.hard});
  set_isolation(spec.security, record, inputs, &plan);
  set_resources(spec.resources, &plan);
  plan.state_dir = inputs.paths.state();
  plan.log_max_size = spec.log.max_size;
  plan.log_max_files = spec.log.max_files;
  return plan;
}

runtime::ExecPlan make_exec_plan(const Record& record, const ExecSpec& spec, const oci::UserIds& user,
                                 const CapabilityBase& base) {
  const auto& security = record.info.spec.security;
  runtime::ExecPlan plan;
  plan.argv = spec.argv;
  plan.environment = merge_environment(full_environment(record, user.home, spec.tty), spec.environment);
  plan.working_dir = spec.working_dir.empty() ? record.internals.resolved.working_dir : spec.working_dir;
  plan.uid = user.uid;
  plan.gid = user.gid;
  plan.groups.assign(user.groups.begin(), user.groups.end());
  plan.tty = spec.tty;
  plan.open_stdin = spec.stdin_open;
  plan.no_new_privileges = security.no_new_privileges && !security.privileged && !spec.privileged;
  plan.capabilities = spec.privileged ? base.all : final_capabilities(security, base);
  return plan;
}

}  // namespace gantry::engine
