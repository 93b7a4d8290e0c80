#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <string_view>

#include "cdi.h"
#include "device_rule.h"
#include "gantry/base/error.h"
#include "logging/log_driver.h"
#include "resolve.h"
#include "sharing.h"
#include "signals.h"

namespace gantry::engine {
namespace {

[[noreturn]] void refuse(const std::string& message, const std::string& fix) {
  throw Error(ErrorKind::invalid, message, fix);
}

// Of mount(8): those that a tmpfs can have and a container's may.
void require_tmpfs_option(const std::string& option) {
  constexpr std::array<std::string_view, 14> kFlags = {"rw",     "ro",    "exec",        "noexec",    "suid",
                                                       "nosuid", "dev",   "nodev",       "noatime",   "relatime",
                                                       "atime",  "async", "strictatime", "nodiratime"};
  constexpr std::array<std::string_view, 6> kKeys = {"nr_inodes", "nr_blocks", "mpol", "huge", "uid", "gid"};
  auto equals = option.find('=');
  bool known = equals == std::string::npos
                   ? std::find(kFlags.begin(), kFlags.end(), option) != kFlags.end()
                   : std::find(kKeys.begin(), kKeys.end(), option.substr(0, equals)) != kKeys.end();
  if (!known || option.find(',') != std::string::npos)
    refuse("tmpfs option '" + option + "' is not possible",
           "use exec, suid, dev and their opposites, noatime, size, mode, uid, gid, nr_inodes or nr_blocks");
}

void require_subpath(const std::string& subpath) {
  if (subpath.empty()) return;
  std::filesystem::path path(subpath);
  bool leaves = path.is_absolute();
  for (const auto& part : path) leaves = leaves || part == "..";
  if (leaves) refuse("volume subpath '" + subpath + "' leads out of the volume", "give a path below the volume's root");
}

// Members that mean something for one type only are not silently dropped for others.
void require_mount_type(const Mount& mount) {
  auto refuse_for = [&](bool set, const char* what, const char* type) {
    if (set) refuse("mount on " + mount.target + ": " + what + " is for " + type + " mounts only", "leave it out");
  };
  bool is_bind = mount.type == MountType::bind;
  bool is_tmpfs = mount.type == MountType::tmpfs;
  bool is_volume = mount.type == MountType::volume;
  refuse_for(!is_bind && mount.propagation != Propagation::rprivate, "propagation", "bind");
  refuse_for(!is_bind && !mount.recursive, "non-recursive", "bind");
  refuse_for(!is_volume && !mount.subpath.empty(), "subpath", "volume");
  refuse_for(!is_tmpfs && (!mount.options.empty() || mount.tmpfs_uid || mount.tmpfs_gid), "an option of tmpfs",
             "tmpfs");
  for (const auto& option : mount.options) require_tmpfs_option(option);
  require_subpath(mount.subpath);
}

void require_mount(const Mount& mount) {
  require_mount_type(mount);

  if (!mount.target.starts_with('/') || mount.target == "/")
    refuse("mount target '" + mount.target + "' is not an absolute path below /",
           "give an absolute path in the container");
  if (mount.type == MountType::bind && !mount.source.starts_with('/'))
    refuse("bind mount on " + mount.target + ": source '" + mount.source + "' is not an absolute path",
           "give the host's path from / on, or a volume's name");
  if (mount.type == MountType::volume && !mount.source.empty()) require_valid_name("volume", mount.source);
}

void require_mounts(const std::vector<Mount>& mounts) {
  std::set<std::string> targets;
  for (const auto& mount : mounts) {
    require_mount(mount);
    auto target = (std::filesystem::path(mount.target) / "").lexically_normal().string();
    if (!targets.insert(target).second) refuse("two mounts on " + mount.target, "give each mount a target of its own");
  }
}

void require_weight(std::uint64_t weight) {
  if (weight < 10 || weight > 1000)
    refuse("block I/O weight " + std::to_string(weight) + " is not between 10 and 1000", "500 is what others have");
}

void require_block_io(const BlockIo& io) {
  if (io.weight) require_weight(*io.weight);
  for (const auto& device : io.weights) require_weight(device.value);
  for (const auto* limits : {&io.weights, &io.read_bps, &io.write_bps, &io.read_iops, &io.write_iops})
    for (const auto& limit : *limits)
      if (!limit.path.starts_with('/'))
        refuse("block I/O limit: '" + limit.path + "' is not a device", "give the device's path, as /dev/sda");
}

void require_resources(const Resources& resources) {
  constexpr std::uint64_t kLeastMemory = 6u << 20;
  if (resources.memory && *resources.memory < kLeastMemory)
    refuse("memory limit " + std::to_string(*resources.memory) + " is below 6 MiB, too little to start a program",
           "set at least 6m");
  if (resources.memory && resources.memory_swap && *resources.memory_swap < *resources.memory)
    refuse("memory_swap is smaller than memory", "memory_swap counts memory and swap together");
  if (resources.cpu_realtime_runtime || resources.cpu_realtime_period)
    refuse(
        "realtime scheduling of a group of processes is not possible",
        "leave out cpu_realtime_runtime and cpu_realtime_period: distribution kernels have no CONFIG_RT_GROUP_SCHED");
  if (resources.cpus && (resources.cpu_quota || resources.cpu_period))
    refuse("cpus and cpu_quota or cpu_period say the same twice", "give one of them");
  if (resources.cpu_period && (*resources.cpu_period < 1000 || *resources.cpu_period > 1'000'000))
    refuse("cpu_period is not between 1000 and 1000000 microseconds", "leave it out for 100000");
  if (resources.cpu_quota && *resources.cpu_quota != -1 && *resources.cpu_quota < 1000)
    refuse("cpu_quota is below 1000 microseconds", "set at least 1000, or -1 for no limit");
  if (resources.memory_swappiness && *resources.memory_swappiness > 100)
    refuse("memory_swappiness is above 100", "set 0 to 100");
  if (resources.oom_score_adj && (*resources.oom_score_adj < -1000 || *resources.oom_score_adj > 1000))
    refuse("oom_score_adj is not between -1000 and 1000", "set 0 for what others have");
  if (resources.block_io) require_block_io(*resources.block_io);
  if (resources.cpus && *resources.cpus < 0.01) refuse("cpus is below 0.01", "set at least 0.01");
}

// Only what belongs to the container's own namespaces: anything else would change the host.
void require_sysctl(const std::string& name, bool own_network, bool own_ipc) {
  constexpr std::array<std::string_view, 7> kIpc = {"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
                                                    "kernel.shmall", "kernel.shmmax", "kernel.shmmni"};
  bool ipc = std::find(kIpc.begin(), kIpc.end(), name) != kIpc.end() || name.starts_with("fs.mqueue.") ||
             name == "kernel.shm_rmid_forced";
  if (!(own_ipc && ipc) && !(own_network && name.starts_with("net.")))
    refuse("sysctl " + name + " is not separate for a container", "set it on the host, or leave it out");
}

void require_ulimit(const Ulimit& limit) {
  constexpr std::array<std::string_view, 16> kKnown = {"as",      "core",     "cpu",        "data",   "fsize", "locks",
                                                       "memlock", "msgqueue", "nice",       "nofile", "nproc", "rss",
                                                       "rtprio",  "rttime",   "sigpending", "stack"};
  if (std::find(kKnown.begin(), kKnown.end(), limit.name) == kKnown.end())
    refuse("unknown ulimit '" + limit.name + "'", "see getrlimit(2); write the name without RLIMIT_, as nofile");
  if (limit.soft > limit.hard) refuse("ulimit " + limit.name + ": soft is above hard", "raise hard, or lower soft");
}

void require_ports(const ContainerSpec& spec) {
  for (const auto& port : spec.ports)
    if (port.container_port == 0) refuse("published port without a container port", "give the port in the container");
  if (spec.no_network && (!spec.ports.empty() || spec.publish_all))
    refuse("ports are published, but the container has no network", "attach it to a network, or publish no ports");
}

void require_devices(const ContainerSpec& spec) {
  for (const auto& device : spec.devices) {
    bool absolute = device.source.starts_with('/') && (device.target.empty() || device.target.starts_with('/'));
    if (!absolute)
      refuse("device '" + device.source + "': a path is not absolute", "write it as /dev/fuse or /dev/sda:/dev/disk:r");
    if (!is_device_access(device.access))
      refuse("device " + device.source + ": access '" + device.access + "' is not of r, w and m",
             "leave it out for rwm");
  }
  for (const auto& rule : spec.device_rules) parse_device_rule(rule);
  for (const auto& name : spec.cdi_devices) require_cdi_name(name);
  for (const auto& port : spec.exposed_ports) parse_exposed_port(port);
}

void require_paths(const std::optional<std::vector<std::string>>& paths, const char* what) {
  if (!paths) return;
  for (const auto& path : *paths)
    if (!path.starts_with('/'))
      refuse(std::string(what) + " path '" + path + "' is not absolute", "write it from / on");
}

void require_names(const ContainerSpec& spec) {
  auto has_blank = [](const std::string& text) {
    return text.empty() || text.find_first_of(" \t\n") != std::string::npos;
  };
  for (const auto* words : {&spec.dns, &spec.dns_search, &spec.dns_options})
    for (const auto& word : *words)
      if (has_blank(word)) refuse("'" + word + "' cannot be a word of /etc/resolv.conf", "give one word at a time");
  if (!spec.domain_name.empty() && (has_blank(spec.domain_name) || spec.domain_name.size() > 64))
    refuse("domain name '" + spec.domain_name + "' is not one", "use at most 64 letters, digits, '-' and '.'");
}

void require_extra_host(const std::string& entry) {
  auto colon = entry.find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == entry.size())
    refuse("extra host '" + entry + "' is not name:address", "write it as db:10.0.0.5");
}

}  // namespace

void require_valid(const ContainerSpec& spec) {
  if (!spec.name.empty()) require_valid_name("container", spec.name);
  require_valid_name("project", spec.project);
  require_valid_namespaces(spec);
  if (!spec.hostname.empty() && spec.hostname.size() > 64)
    refuse("hostname is longer than 64 characters", "shorten it");
  if (spec.hostname.find_first_of(" \t\n/") != std::string::npos)
    refuse("hostname '" + spec.hostname + "' has characters a host name cannot have",
           "use letters, digits, '-' and '.'");
  if (!spec.runtime.empty() && spec.runtime != "native" && spec.runtime != "crun")
    refuse("runtime '" + spec.runtime + "' does not exist", "use native, which is the default, or crun");
  require_mounts(spec.mounts);
  require_resources(spec.resources);
  require_ports(spec);
  require_devices(spec);
  require_names(spec);
  require_paths(spec.security.masked_paths, "masked");
  require_paths(spec.security.readonly_paths, "read-only");
  for (const auto& entry : spec.extra_hosts) require_extra_host(entry);
  bool own_network = mode_of(spec.namespaces.network) != NamespaceMode::host;
  bool own_ipc = mode_of(spec.namespaces.ipc) != NamespaceMode::host;
  for (const auto& [name, ignored] : spec.sysctls) require_sysctl(name, own_network, own_ipc);
  for (const auto& limit : spec.ulimits) require_ulimit(limit);
  if (!spec.storage_options.empty())
    refuse("storage option " + spec.storage_options.begin()->first + " is not possible",
           "leave it out: the writable layer of a container has no size of its own; put a quota on the data directory, "
           "or use a tmpfs mount with a size");
  if (spec.stop_signal) signal_number(*spec.stop_signal);
  if (spec.auto_remove && spec.restart.mode != RestartMode::no)
    refuse("a container cannot both be removed when it ends and be restarted", "leave out --rm or the restart policy");
  if (spec.health && spec.health->retries < 1 && !spec.health->disable)
    refuse("health check: retries is below 1", "set at least 1");
  log_target(spec.log);
  if (spec.log.max_files < 1 || spec.log.max_size < 4096)
    refuse("log: at least one file of 4096 bytes must be kept", "raise max_files or max_size");
}

}  // namespace gantry::engine
