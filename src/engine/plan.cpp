#include "plan.h"

#include <algorithm>
#include <cctype>

#include "device_rule.h"
#include "id_range.h"
#include "logging/log_driver.h"
#include "sharing.h"

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
      out.options = mount.options;
      if (mount.tmpfs_uid) out.options.push_back("uid=" + std::to_string(*mount.tmpfs_uid));
      if (mount.tmpfs_gid) out.options.push_back("gid=" + std::to_string(*mount.tmpfs_gid));
      break;
    case MountType::bind:
      out.source = mount.source;
      out.recursive = mount.recursive;
      out.read_only_recursive = mount.read_only_recursive;
      out.propagation = static_cast<runtime::MountPropagation>(mount.propagation);
      break;
    case MountType::volume:
      out.source = inputs.volume_paths.at(mount.source);
      out.beneath = mount.subpath;
      break;
  }
  return out;
}

runtime::PlannedMount shown(const char* path, bool read_only, pid_t seen_by = 0) {
  runtime::PlannedMount out;
  out.source = out.target = path;
  out.read_only = read_only;
  out.id_mapped = false;
  out.seen_by = seen_by;
  return out;
}

// What of the host's or another container's files belongs to a namespace that is shared.
std::vector<runtime::PlannedMount> shared_mounts(const ContainerSpec& spec, pid_t shm_of) {
  std::vector<runtime::PlannedMount> out;
  if (mode_of(spec.namespaces.cgroup) == NamespaceMode::host)
    out.push_back(shown("/sys/fs/cgroup", !spec.security.privileged));
  if (mode_of(spec.namespaces.ipc) == NamespaceMode::host) out.push_back(shown("/dev/shm", false));
  if (shm_of != 0) out.push_back(shown("/dev/shm", false, shm_of));
  return out;
}

// The engine's own files come first, so that a user's mount on the same place wins.
std::vector<runtime::PlannedMount> plan_mounts(const Record& record, const PlanInputs& inputs) {
  auto out = shared_mounts(record.info.spec, inputs.shm_of);
  for (const char* name : {"hosts", "hostname", "resolv.conf"}) {
    runtime::PlannedMount mount;
    mount.source = (inputs.network_files / name).string();
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
  plan->namespaces = inputs.namespaces;
  auto ipc = mode_of(record.info.spec.namespaces.ipc);
  plan->own_shm = ipc == NamespaceMode::private_ || ipc == NamespaceMode::shareable;
  plan->privileged = security.privileged;
  plan->default_seccomp = security.seccomp == Seccomp::default_ && !security.privileged;
  plan->no_new_privileges = security.no_new_privileges && !security.privileged;
  plan->mask_paths = !security.unmask_paths && !security.privileged;
  plan->capabilities = final_capabilities(security, inputs.capabilities);
  plan->seccomp_profile = security.seccomp_profile;
  if (security.apparmor != kUnconfined) plan->apparmor = security.apparmor;
  plan->masked_paths = security.masked_paths;
  plan->readonly_paths = security.readonly_paths;
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
  plan->cpu_quota = resources.cpu_quota;
  plan->cpu_period = resources.cpu_period;
  plan->cpuset_mems = resources.cpuset_mems;
  plan->memory_swappiness = resources.memory_swappiness;
  plan->oom_kill_disable = resources.oom_kill_disable;
  plan->oom_score_adj = resources.oom_score_adj;
  if (!resources.block_io) return;
  auto planned = [](const std::vector<DeviceLimit>& limits) {
    std::vector<runtime::PlannedDeviceLimit> out;
    for (const auto& limit : limits) out.push_back({limit.path, limit.value});
    return out;
  };
  const auto& io = *resources.block_io;
  plan->block_io = runtime::PlannedBlockIo{.weight = io.weight};
  plan->block_io->weights = planned(io.weights);
  plan->block_io->read_bps = planned(io.read_bps);
  plan->block_io->write_bps = planned(io.write_bps);
  plan->block_io->read_iops = planned(io.read_iops);
  plan->block_io->write_iops = planned(io.write_iops);
}

void set_devices(const ContainerSpec& spec, runtime::Plan* plan) {
  for (const auto& device : spec.devices)
    plan->devices.push_back({device.source, device.target.empty() ? device.source : device.target, device.access});
  for (const auto& rule : spec.device_rules) plan->device_rules.push_back(parse_device_rule(rule));
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
  set_devices(spec, &plan);
  plan.domain_name = spec.domain_name;
  plan.annotations = spec.annotations;
  plan.state_dir = inputs.paths.state();
  plan.log_max_size = spec.log.max_size;
  plan.log_max_files = keeps_logs(spec.log) ? spec.log.max_files : 0;
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
