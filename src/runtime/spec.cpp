#include "spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "capabilities.h"
#include "devices.h"
#include "docker_seccomp.h"
#include "gantry/base/json.h"
#include "gantry/runtime/stage.h"
#include "seccomp_profile.h"

namespace gantry::runtime {
namespace {

namespace spec = oci::runtime;

constexpr char kInitTarget[] = "/dev/init";
constexpr std::uint64_t kDefaultShm = 64u << 20;
constexpr std::uint64_t kCpuPeriod = 100'000;

const std::vector<std::string> kMasked = {"/proc/acpi",
                                          "/proc/asound",
                                          "/proc/interrupts",
                                          "/proc/kcore",
                                          "/proc/keys",
                                          "/proc/latency_stats",
                                          "/proc/sched_debug",
                                          "/proc/scsi",
                                          "/proc/timer_list",
                                          "/proc/timer_stats",
                                          "/sys/devices/virtual/powercap",
                                          "/sys/firmware"};
const std::vector<std::string> kReadOnly = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

spec::Capabilities capability_sets(const std::vector<std::string>& names) {
  return {.bounding = names, .effective = names, .permitted = names};
}

std::vector<std::string> arguments(const Plan& plan) {
  if (!plan.init) return plan.argv;
  std::vector<std::string> argv = {kInitTarget, "--"};
  argv.insert(argv.end(), plan.argv.begin(), plan.argv.end());
  return argv;
}

spec::Process make_process(const Plan& plan, const SpecContext& context) {
  spec::Process process{
      .terminal = plan.tty,
      .user = {.uid = plan.uid, .gid = plan.gid, .additionalGids = plan.groups},
      .args = arguments(plan),
      .env = plan.environment,
      .cwd = plan.working_dir.empty() ? "/" : plan.working_dir,
      .capabilities = capability_sets(grantable_capabilities(plan.capabilities, plan.user_namespace.has_value())),
      .noNewPrivileges = plan.no_new_privileges};
  process.oomScoreAdj = context.oom_score_adj;
  if (!plan.apparmor.empty()) process.apparmorProfile = plan.apparmor;
  for (const auto& limit : context.limits)
    process.rlimits.push_back({.type = limit.name, .soft = limit.soft, .hard = limit.hard});
  return process;
}

using Whose = NamespaceChoice::Whose;

std::vector<spec::Mount> system_mounts(const Plan& plan) {
  auto shm = fmt::format("size={}", plan.shm_size.value_or(kDefaultShm));
  std::string access = plan.privileged ? "rw" : "ro";
  std::vector<spec::Mount> out = {
      {"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
      {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
      {"/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
      {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", access}},
  };
  // The host's comes as a bind.
  if (plan.namespaces.cgroup.whose == Whose::own)
    out.push_back({"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", access}});
  out.push_back({"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}});
  if (plan.own_shm)
    out.push_back({"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", std::move(shm)}});
  return out;
}

spec::Mount tmpfs_mount(const PlannedMount& mount) {
  spec::Mount out{mount.target, "tmpfs", "tmpfs", {"nosuid", "nodev", "noexec"}};
  for (const auto& option : mount.options) {
    // "exec" is the absence of "noexec", and neither is ever said twice.
    bool allows = std::erase(out.options, "no" + option) > 0;
    bool there = std::ranges::find(out.options, option) != out.options.end();
    if (!allows && !there) out.options.push_back(option);
  }
  out.options.push_back(fmt::format("mode={:o}", mount.mode.value_or(01777)));
  if (mount.size) out.options.push_back(fmt::format("size={}", *mount.size));
  if (mount.read_only) out.options.emplace_back("ro");
  return out;
}

// Nothing lies below a file, and crun refuses to look there.
bool has_depth(const PlannedMount& mount) {
  std::error_code ignored;
  return mount.recursive && mount.read_only_recursive && std::filesystem::is_directory(mount.source, ignored);
}

spec::Mount bind_mount(const PlannedMount& mount, std::size_t number) {
  std::string access = !mount.read_only ? "rw" : has_depth(mount) ? "rro" : "ro";
  return {mount.target,
          "bind",
          fmt::format("{}/m/{}", kStage, number),
          {mount.recursive ? "rbind" : "bind", json::name_of(mount.propagation), std::move(access)}};
}

PlannedMount init_mount() {
  PlannedMount out;
  out.target = kInitTarget;
  out.read_only = true;
  return out;
}

// The n-th bind of config.json is the n-th bind of the shim's plan (plan_file.cpp keeps the same order).
std::vector<spec::Mount> all_mounts(const Plan& plan, std::vector<spec::Mount> mounts) {
  std::size_t binds = 0;
  for (const auto& mount : plan.mounts)
    mounts.push_back(mount.kind == PlannedMount::Kind::tmpfs ? tmpfs_mount(mount) : bind_mount(mount, binds++));
  if (plan.init) mounts.push_back(bind_mount(init_mount(), binds++));
  return mounts;
}

void add_device_rules(const Plan& plan, std::vector<spec::DeviceRule>* rules) {
  if (plan.privileged) return;  // it may use them all
  for (const auto& rule : plan.device_rules)
    rules->push_back({.allow = true,
                      .type = std::string(1, rule.type),
                      .major = rule.major,
                      .minor = rule.minor,
                      .access = rule.access});
}

std::vector<spec::ThrottleDevice> throttles(const std::vector<PlannedDeviceLimit>& limits) {
  std::vector<spec::ThrottleDevice> out;
  for (const auto& limit : limits) {
    auto device = find_block_device(limit.path);
    out.push_back({device.major, device.minor, limit.value});
  }
  return out;
}

spec::BlockIo make_block_io(const PlannedBlockIo& wanted) {
  spec::BlockIo out{.weight = wanted.weight};
  for (const auto& weight : wanted.weights) {
    auto device = find_block_device(weight.path);
    out.weightDevice.push_back({device.major, device.minor, static_cast<std::uint16_t>(weight.value)});
  }
  out.throttleReadBpsDevice = throttles(wanted.read_bps);
  out.throttleWriteBpsDevice = throttles(wanted.write_bps);
  out.throttleReadIOPSDevice = throttles(wanted.read_iops);
  out.throttleWriteIOPSDevice = throttles(wanted.write_iops);
  return out;
}

spec::Resources make_resources(const Plan& plan) {
  spec::Resources out{.devices = device_rules(plan.privileged)};
  add_device_rules(plan, &out.devices);
  if (plan.block_io) out.blockIO = make_block_io(*plan.block_io);
  if (plan.memory || plan.memory_swap || plan.memory_reservation || plan.memory_swappiness || plan.oom_kill_disable) {
    auto number = [](const std::optional<std::uint64_t>& value) {
      return value ? std::optional(static_cast<std::int64_t>(*value)) : std::nullopt;
    };
    out.memory = spec::Memory{
        .limit = number(plan.memory), .reservation = number(plan.memory_reservation), .swap = number(plan.memory_swap)};
    out.memory->swappiness = plan.memory_swappiness;
    out.memory->disableOOMKiller = plan.oom_kill_disable;
  }
  if (plan.cpus || plan.cpu_shares || plan.cpuset || plan.cpu_quota || plan.cpu_period || plan.cpuset_mems) {
    out.cpu = spec::Cpu{.shares = plan.cpu_shares,
                        .quota = plan.cpu_quota,
                        .period = plan.cpu_period,
                        .cpus = plan.cpuset,
                        .mems = plan.cpuset_mems};
    if (plan.cpus) {
      out.cpu->period = kCpuPeriod;
      out.cpu->quota = std::llround(*plan.cpus * static_cast<double>(kCpuPeriod));
    }
  }
  if (plan.pids) out.pids = spec::Pids{.limit = *plan.pids};
  return out;
}

std::map<std::string, std::string> make_sysctls(const Plan& plan) {
  auto highest_gid = plan.user_namespace ? plan.user_namespace->size - 1 : 2147483647u;
  std::map<std::string, std::string> out;
  if (plan.namespaces.network.whose == Whose::own)
    out = {{"net.ipv4.ip_unprivileged_port_start", "0"},
           {"net.ipv4.ping_group_range", fmt::format("0 {}", highest_gid)}};
  for (const auto& [name, value] : plan.sysctls) out[name] = value;
  return out;
}

std::vector<spec::Namespace> make_namespaces(const Plan& plan) {
  std::vector<spec::Namespace> out = {{"mount"}};
  auto add = [&](const char* type, const char* file, const NamespaceChoice& choice) {
    if (choice.whose == Whose::own) out.push_back({type});
    if (choice.whose == Whose::joined) out.push_back({type, fmt::format("/proc/{}/ns/{}", choice.pid, file)});
  };
  const auto& wanted = plan.namespaces;
  if (plan.user_namespace) add("user", "user", wanted.user);
  add("pid", "pid", wanted.pid);
  add("network", "net", wanted.network);
  add("ipc", "ipc", wanted.ipc);
  add("uts", "uts", wanted.uts);
  add("cgroup", "cgroup", wanted.cgroup);
  return out;
}

spec::Linux make_linux(const Plan& plan, const SpecContext& context) {
  spec::Linux out{.namespaces = make_namespaces(plan),
                  .cgroupsPath = context.cgroups_path,
                  .resources = make_resources(plan),
                  .rootfsPropagation = "rprivate",
                  .sysctl = make_sysctls(plan)};
  if (plan.user_namespace) {
    spec::IdMapping mapping{.containerID = 0, .hostID = plan.user_namespace->host, .size = plan.user_namespace->size};
    out.uidMappings = {mapping};
    out.gidMappings = {mapping};
  }
  if (plan.privileged) out.devices = host_devices();
  if (context.seccomp_by_name) out.seccomp = seccomp_of(plan);
  if (plan.mask_paths && !plan.privileged) {
    out.maskedPaths = plan.masked_paths.value_or(kMasked);
    out.readonlyPaths = plan.readonly_paths.value_or(kReadOnly);
  }
  // What the container's "/" is, mounts below it can be no more than.
  for (const auto& mount : plan.mounts) {
    using enum MountPropagation;
    if (mount.propagation == rshared || mount.propagation == shared) out.rootfsPropagation = "rshared";
    bool follows = mount.propagation == rslave || mount.propagation == slave;
    if (follows && out.rootfsPropagation == "rprivate") out.rootfsPropagation = "rslave";
  }
  return out;
}

std::optional<spec::Hooks> make_hooks(const std::vector<PlannedHook>& wanted) {
  if (wanted.empty()) return std::nullopt;
  struct Stage {
    std::string_view name;
    std::vector<spec::Hook> spec::Hooks::*hooks;
  };
  constexpr Stage kStages[] = {{"prestart", &spec::Hooks::prestart},
                               {"createRuntime", &spec::Hooks::createRuntime},
                               {"createContainer", &spec::Hooks::createContainer},
                               {"startContainer", &spec::Hooks::startContainer},
                               {"poststart", &spec::Hooks::poststart},
                               {"poststop", &spec::Hooks::poststop}};
  spec::Hooks out;
  for (const auto& hook : wanted) {
    auto stage = std::ranges::find(kStages, hook.stage, &Stage::name);
    if (stage == std::end(kStages))
      throw Error(ErrorKind::invalid, "hook " + hook.path + ": there is no stage '" + hook.stage + "'",
                  "see the OCI runtime specification for the stages");
    (out.*stage->hooks).push_back({hook.path, hook.args, hook.environment, hook.timeout});
  }
  return out;
}

}  // namespace

bool uses_default_seccomp(const Plan& plan) {
  return plan.seccomp_profile.empty() && plan.default_seccomp && !plan.privileged;
}

std::optional<spec::Seccomp> seccomp_of(const Plan& plan) {
  if (!plan.seccomp_profile.empty()) return docker_seccomp(plan.seccomp_profile, plan.capabilities);
  if (uses_default_seccomp(plan)) return default_seccomp(plan.capabilities);
  return std::nullopt;
}

spec::Spec make_spec(const Plan& plan, const SpecContext& context) {
  if (plan.argv.empty()) throw Error(ErrorKind::invalid, "no command to run", "give a command or set one in the image");
  auto system = system_mounts(plan);
  auto count = system.size();
  return {.process = make_process(plan, context),
          .root = {.path = std::string(kStage) + "/r", .readonly = plan.read_only_root},
          .hostname = plan.namespaces.uts.whose == Whose::own ? plan.hostname : std::string(),
          .domainname = plan.domain_name.empty() ? std::nullopt : std::optional(plan.domain_name),
          .mounts = all_mounts(plan, std::move(system)),
          .linux_ = make_linux(plan, context),
          .annotations = plan.annotations,
          .hooks = make_hooks(plan.hooks),
          .system_mounts = count};
}

spec::Process make_exec_process(const ExecPlan& plan, bool own_user_namespace) {
  if (plan.argv.empty()) throw Error(ErrorKind::invalid, "exec without a command", "give a command to run");
  return {.terminal = plan.tty,
          .user = {.uid = plan.uid, .gid = plan.gid, .additionalGids = plan.groups},
          .args = plan.argv,
          .env = plan.environment,
          .cwd = plan.working_dir.empty() ? "/" : plan.working_dir,
          .capabilities = capability_sets(grantable_capabilities(plan.capabilities, own_user_namespace)),
          .noNewPrivileges = plan.no_new_privileges};
}

}  // namespace gantry::runtime
