#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <string_view>

#include "gantry/base/error.h"
#include "resolve.h"
#include "signals.h"

namespace gantry::engine {
namespace {

[[noreturn]] void refuse(const std::string& message, const std::string& fix) {
  throw Error(ErrorKind::invalid, message, fix);
}

void require_mount(const Mount& mount) {
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

void require_resources(const Resources& resources) {
  constexpr std::uint64_t kLeastMemory = 6u << 20;
  if (resources.memory && *resources.memory < kLeastMemory)
    refuse("memory limit " + std::to_string(*resources.memory) + " is below 6 MiB, too little to start a program",
           "set at least 6m");
  if (resources.memory && resources.memory_swap && *resources.memory_swap < *resources.memory)
    refuse("memory_swap is smaller than memory", "memory_swap counts memory and swap together");
  if (resources.cpus && *resources.cpus < 0.01) refuse("cpus is below 0.01", "set at least 0.01");
}

// Only what belongs to the container's own namespaces: anything else would change the host.
void require_sysctl(const std::string& name, bool own_network) {
  constexpr std::array<std::string_view, 7> kIpc = {"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
                                                    "kernel.shmall", "kernel.shmmax", "kernel.shmmni"};
  bool ipc = std::find(kIpc.begin(), kIpc.end(), name) != kIpc.end() || name.starts_with("fs.mqueue.") ||
             name == "kernel.shm_rmid_forced";
  if (!ipc && !(own_network && name.starts_with("net.")))
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
  if (spec.no_network && !spec.ports.empty())
    refuse("ports are published, but the container has no network", "attach it to a network, or publish no ports");
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
  for (const auto& entry : spec.extra_hosts) require_extra_host(entry);
  for (const auto& [name, ignored] : spec.sysctls) require_sysctl(name, true);
  for (const auto& limit : spec.ulimits) require_ulimit(limit);
  if (spec.stop_signal) signal_number(*spec.stop_signal);
  if (spec.auto_remove && spec.restart.mode != RestartMode::no)
    refuse("a container cannot both be removed when it ends and be restarted", "leave out --rm or the restart policy");
  if (spec.health && spec.health->retries < 1 && !spec.health->disable)
    refuse("health check: retries is below 1", "set at least 1");
  if (spec.log.max_files < 1 || spec.log.max_size < 4096)
    refuse("log: at least one file of 4096 bytes must be kept", "raise max_files or max_size");
}

}  // namespace gantry::engine
