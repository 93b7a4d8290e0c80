#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "gantry/engine/types.h"
#include "options.h"

namespace gantry::cli {

/// The flags of `run` that describe a container, as they were typed.
struct RunFlags {
  bool interactive = false, tty = false, remove = false, privileged = false, read_only = false, init = false;
  bool no_healthcheck = false;
  std::string name, user, working_dir, hostname, entrypoint, restart, memory, memory_swap, memory_reservation, cpus;
  std::string cpu_shares, cpuset, pids_limit, shm_size, userns, stop_signal, stop_timeout, runtime, log_driver;
  std::string health_cmd, health_interval, health_timeout, health_retries, health_start_period, health_start_interval;
  std::vector<std::string> env, env_files, volumes, mounts, tmpfs, publish, networks, aliases, labels, cap_add,
      cap_drop;
  std::vector<std::string> security_options, log_options, ulimits, sysctls, extra_hosts, dns;
  std::string pid, ipc, uts, cgroupns, domain_name, cpu_quota, cpu_period, cpuset_mems, swappiness, oom_score, blkio;
  bool publish_all = false, oom_kill_disable = false;
  std::vector<std::string> devices, device_rules, group_add, dns_search, dns_options, links, volumes_from, exposed,
      annotations, read_bps, write_bps, read_iops, write_iops;
  std::optional<std::string> ip, ip6, mac;
};

/// Where texts get their meaning from: the caller's directory, environment and files.
struct RunSurroundings {
  std::filesystem::path directory;
  std::map<std::string, std::string> environment;
  std::function<std::string(const std::filesystem::path&)> read_file;
};

void declare_run_flags(Options& options, RunFlags& flags);
/// Throws Error (invalid) for the first flag that is wrong.
engine::ContainerSpec make_spec(const RunFlags& flags, const RunSurroundings& surroundings);

}  // namespace gantry::cli
