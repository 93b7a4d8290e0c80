#include "spec.h"

#include <fmt/format.h>

#include <cmath>

#include "capabilities.h"
#include "devices.h"
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
  for (const auto& limit : context.limits)
    process.rlimits.push_back({.type = limit.name, .soft = limit.soft, .hard = limit.hard});
  return process;
}

std::vector<spec::Mount> system_mounts(const Plan& plan) {
  auto shm = fmt::format("size={}", plan.shm_size.value_or(kDefaultShm));
  std::string access = plan.privileged ? "rw" : "ro";
  return {
      {"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
      {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
      {"/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
      {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", access}},
      {"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", access}},
      {"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
      {"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", shm}},
  };
}

spec::Mount tmpfs_mount(const PlannedMount& mount) {
  spec::Mount out{mount.target, "tmpfs", "tmpfs", {"nosuid", "nodev", "noexec"}};
  out.options.push_back(fmt::format("mode={:o}", mount.mode.value_or(01777)));
  if (mount.size) out.options.push_back(fmt::format("size={}", *mount.size));
  if (mount.read_only) out.options.emplace_back("ro");
  return out;
}

spec::Mount bind_mount(std::string target, std::size_t number, bool read_only) {
  return {std::move(target),
          "bind",
          fmt::format("{}/m/{}", kStage, number),
          {"rbind", "rprivate", read_only ? "ro" : "rw"}};
}

// The n-th bind of config.json is the n-th bind of the shim's plan (plan_file.cpp keeps the same order).
std::vector<spec::Mount> all_mounts(const Plan& plan) {
  auto mounts = system_mounts(plan);
  std::size_t binds = 0;
  for (const auto& mount : plan.mounts)
    mounts.push_back(mount.kind == PlannedMount::Kind::tmpfs ? tmpfs_mount(mount)
                                                             : bind_mount(mount.target, binds++, mount.read_only));
  if (plan.init) mounts.push_back(bind_mount(kInitTarget, binds++, true));
  return mounts;
}

spec::Resources make_resources(const Plan& plan) {
  spec::Resources out{.devices = device_rules(plan.privileged)};
  if (plan.memory || plan.memory_swap || plan.memory_reservation) {
    auto number = [](const std::optional<std::uint64_t>& value) {
      return value ? std::optional(static_cast<std::int64_t>(*value)) : std::nullopt;
    };
    out.memory = spec::Memory{
        .limit = number(plan.memory), .reservation = number(plan.memory_reservation), .swap = number(plan.memory_swap)};
  }
  if (plan.cpus || plan.cpu_shares || plan.cpuset) {
    out.cpu = spec::Cpu{.shares = plan.cpu_shares, .cpus = plan.cpuset};
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
  std::map<std::string, std::string> out = {{"net.ipv4.ip_unprivileged_port_start", "0"},
                                            {"net.ipv4.ping_group_range", fmt::format("0 {}", highest_gid)}};
  for (const auto& [name, value] : plan.sysctls) out[name] = value;
  return out;
}

spec::Linux make_linux(const Plan& plan, const SpecContext& context) {
  spec::Linux out{.namespaces = {{"pid"}, {"network"}, {"ipc"}, {"uts"}, {"mount"}, {"cgroup"}},
                  .cgroupsPath = context.cgroups_path,
                  .resources = make_resources(plan),
                  .rootfsPropagation = "rprivate",
                  .sysctl = make_sysctls(plan)};
  if (plan.user_namespace) {
    out.namespaces.push_back({"user"});
    spec::IdMapping mapping{.containerID = 0, .hostID = plan.user_namespace->host, .size = plan.user_namespace->size};
    out.uidMappings = {mapping};
    out.gidMappings = {mapping};
  }
  if (plan.privileged) out.devices = host_devices();
  if (context.seccomp_by_name && uses_default_seccomp(plan)) out.seccomp = default_seccomp(plan.capabilities);
  if (plan.mask_paths && !plan.privileged) {
    out.maskedPaths = kMasked;
    out.readonlyPaths = kReadOnly;
  }
  return out;
}

}  // namespace

bool uses_default_seccomp(const Plan& plan) { return plan.default_seccomp && !plan.privileged; }

spec::Spec make_spec(const Plan& plan, const SpecContext& context) {
  if (plan.argv.empty()) throw Error(ErrorKind::invalid, "no command to run", "give a command or set one in the image");
  return {.process = make_process(plan, context),
          .root = {.path = std::string(kStage) + "/r", .readonly = plan.read_only_root},
          .hostname = plan.hostname,
          .mounts = all_mounts(plan),
          .linux_ = make_linux(plan, context)};
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
