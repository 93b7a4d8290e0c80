#include "run_options.h"

#include <fmt/format.h>

#include "gantry/base/error.h"
#include "parse.h"

namespace gantry::cli {
namespace {

using engine::ContainerSpec;

struct ValueFlag {
  std::string_view names, label, help;
  std::string RunFlags::*member;
  void (*apply)(ContainerSpec& spec, const std::string& value);
};

engine::HealthCheck& health(ContainerSpec& spec) {
  if (!spec.health) spec.health.emplace();
  return *spec.health;
}

engine::BlockIo& block_io(ContainerSpec& spec) {
  if (!spec.resources.block_io) spec.resources.block_io.emplace();
  return *spec.resources.block_io;
}

std::int64_t positive(const std::string& text, std::string_view option) {
  auto value = parse_number(text, option);
  if (value <= 0) throw Error(ErrorKind::invalid, fmt::format("{} '{}': expected a number above 0", option, text));
  return value;
}

// One row per flag with a single value: what it is called, where it lands.
constexpr ValueFlag kValueFlags[]{
    {"--name", "NAME", "name of the container", &RunFlags::name, [](auto& s, auto& v) { s.name = v; }},
    {"-u,--user", "USER[:GROUP]", "user the program runs as", &RunFlags::user, [](auto& s, auto& v) { s.user = v; }},
    {"-w,--workdir", "DIR", "working directory in the container", &RunFlags::working_dir,
     [](auto& s, auto& v) { s.working_dir = v; }},
    {"-h,--hostname", "NAME", "host name in the container", &RunFlags::hostname,
     [](auto& s, auto& v) { s.hostname = v; }},
    {"--restart", "POLICY", "no, always, unless-stopped, on-failure[:N]", &RunFlags::restart,
     [](auto& s, auto& v) { s.restart = parse_restart(v); }},
    {"-m,--memory", "SIZE", "memory limit (512m, 2g)", &RunFlags::memory,
     [](auto& s, auto& v) { s.resources.memory = parse_size(v, "--memory"); }},
    {"--memory-swap", "SIZE", "memory and swap together; -1 for no limit", &RunFlags::memory_swap,
     [](auto& s, auto& v) {
       s.resources.memory_swap = v == "-1" ? engine::kUnlimited : parse_size(v, "--memory-swap");
     }},
    {"--memory-reservation", "SIZE", "memory the kernel tries to leave alone", &RunFlags::memory_reservation,
     [](auto& s, auto& v) { s.resources.memory_reservation = parse_size(v, "--memory-reservation"); }},
    {"--cpus", "NUMBER", "processor limit (1.5)", &RunFlags::cpus,
     [](auto& s, auto& v) { s.resources.cpus = parse_decimal(v, "--cpus"); }},
    {"-c,--cpu-shares", "NUMBER", "relative processor weight (1024 is one share)", &RunFlags::cpu_shares,
     [](auto& s, auto& v) { s.resources.cpu_shares = static_cast<std::uint64_t>(positive(v, "--cpu-shares")); }},
    {"--cpuset-cpus", "LIST", "processors it may use (0-2,4)", &RunFlags::cpuset,
     [](auto& s, auto& v) { s.resources.cpuset = v; }},
    {"--log-driver", "NAME", "json-file, local, none, syslog, gelf or fluentd", &RunFlags::log_driver,
     [](auto& s, auto& v) { s.log.driver = v; }},
    {"--pids-limit", "NUMBER", "most processes at once", &RunFlags::pids_limit,
     [](auto& s, auto& v) { s.resources.pids = parse_number(v, "--pids-limit"); }},
    {"--shm-size", "SIZE", "size of /dev/shm", &RunFlags::shm_size,
     [](auto& s, auto& v) { s.resources.shm_size = parse_size(v, "--shm-size"); }},
    {"--runtime", "NAME", "who launches it: native or crun", &RunFlags::runtime,
     [](auto& s, auto& v) { s.runtime = v; }},
    {"--pid", "MODE", "private (default), host or container:NAME", &RunFlags::pid,
     [](auto& s, auto& v) { s.namespaces.pid = parse_namespace(v, "--pid"); }},
    {"--ipc", "MODE", "private (default), shareable, none, host or container:NAME", &RunFlags::ipc,
     [](auto& s, auto& v) { s.namespaces.ipc = parse_namespace(v, "--ipc"); }},
    {"--uts", "MODE", "private (default) or host", &RunFlags::uts,
     [](auto& s, auto& v) { s.namespaces.uts = parse_namespace(v, "--uts"); }},
    {"--cgroupns", "MODE", "private (default) or host", &RunFlags::cgroupns,
     [](auto& s, auto& v) { s.namespaces.cgroup = parse_namespace(v, "--cgroupns"); }},
    {"--domainname", "NAME", "NIS domain name", &RunFlags::domain_name, [](auto& s, auto& v) { s.domain_name = v; }},
    {"--cpu-quota", "MICROSECONDS", "processor time in each period", &RunFlags::cpu_quota,
     [](auto& s, auto& v) { s.resources.cpu_quota = parse_number(v, "--cpu-quota"); }},
    {"--cpu-period", "MICROSECONDS", "length of a period (100000)", &RunFlags::cpu_period,
     [](auto& s, auto& v) { s.resources.cpu_period = static_cast<std::uint64_t>(positive(v, "--cpu-period")); }},
    {"--cpuset-mems", "LIST", "memory nodes it may use", &RunFlags::cpuset_mems,
     [](auto& s, auto& v) { s.resources.cpuset_mems = v; }},
    {"--memory-swappiness", "NUMBER", "0 to 100 (cgroup version 1)", &RunFlags::swappiness,
     [](auto& s, auto& v) {
       s.resources.memory_swappiness = static_cast<std::uint32_t>(parse_number(v, "--memory-swappiness"));
     }},
    {"--oom-score-adj", "NUMBER", "how early it is killed when memory runs out", &RunFlags::oom_score,
     [](auto& s, auto& v) { s.resources.oom_score_adj = static_cast<int>(parse_number(v, "--oom-score-adj")); }},
    {"--blkio-weight", "NUMBER", "weight of its block I/O, 10 to 1000", &RunFlags::blkio,
     [](auto& s, auto& v) { block_io(s).weight = static_cast<std::uint16_t>(positive(v, "--blkio-weight")); }},
    {"--userns", "MODE", "private (default) or host", &RunFlags::userns,
     [](auto& s, auto& v) { s.security.user_namespace = parse_user_namespace(v); }},
    {"--stop-signal", "SIGNAL", "signal that asks the program to end", &RunFlags::stop_signal,
     [](auto& s, auto& v) { s.stop_signal = v; }},
    {"--stop-timeout", "SECONDS", "time to end before it is killed", &RunFlags::stop_timeout,
     [](auto& s, auto& v) { s.stop_grace = parse_grace(v, "--stop-timeout"); }},
    {"--health-cmd", "COMMAND", "shell command that says whether it is healthy", &RunFlags::health_cmd,
     [](auto& s, auto& v) { health(s).shell = v; }},
    {"--health-interval", "SPAN", "time between checks (30s)", &RunFlags::health_interval,
     [](auto& s, auto& v) { health(s).interval = parse_time_span(v, "--health-interval"); }},
    {"--health-timeout", "SPAN", "longest a check may take (30s)", &RunFlags::health_timeout,
     [](auto& s, auto& v) { health(s).timeout = parse_time_span(v, "--health-timeout"); }},
    {"--health-retries", "NUMBER", "failures in a row that mean unhealthy (3)", &RunFlags::health_retries,
     [](auto& s, auto& v) { health(s).retries = static_cast<int>(positive(v, "--health-retries")); }},
    {"--health-start-period", "SPAN", "time in which failures do not count", &RunFlags::health_start_period,
     [](auto& s, auto& v) { health(s).start_period = parse_time_span(v, "--health-start-period"); }},
    {"--health-start-interval", "SPAN", "time between checks in the start period", &RunFlags::health_start_interval,
     [](auto& s, auto& v) { health(s).start_interval = parse_time_span(v, "--health-start-interval"); }},
};

struct SwitchFlag {
  std::string_view names, help;
  bool RunFlags::*member;
  void (*apply)(ContainerSpec& spec);
};

constexpr SwitchFlag kSwitchFlags[]{
    {"-i,--interactive", "connect standard input", &RunFlags::interactive, [](auto& s) { s.open_stdin = true; }},
    {"-t,--tty", "give it a terminal", &RunFlags::tty, [](auto& s) { s.tty = true; }},
    {"--rm", "remove the container when it ends", &RunFlags::remove, [](auto& s) { s.auto_remove = true; }},
    {"--privileged", "no isolation at all (shown by ps and inspect)", &RunFlags::privileged,
     [](auto& s) { s.security.privileged = true; }},
    {"--read-only", "read-only root file system", &RunFlags::read_only, [](auto& s) { s.read_only = true; }},
    {"--init", "run an init as process 1", &RunFlags::init, [](auto& s) { s.init = true; }},
    {"-P,--publish-all", "publish each exposed port on a free one", &RunFlags::publish_all,
     [](auto& s) { s.publish_all = true; }},
    {"--oom-kill-disable", "never kill it when memory runs out (cgroup version 1)", &RunFlags::oom_kill_disable,
     [](auto& s) { s.resources.oom_kill_disable = true; }},
    {"--no-healthcheck", "switch off the image's health check", &RunFlags::no_healthcheck,
     [](auto& s) { health(s).disable = true; }},
};

struct ListFlag {
  std::string_view names, label, help;
  std::vector<std::string> RunFlags::*member;
  void (*apply)(ContainerSpec& spec, const std::string& value, const RunSurroundings& surroundings);
};

constexpr ListFlag kListFlags[]{
    {"--env-file", "FILE", "read variables from a file", &RunFlags::env_files,
     [](auto& s, auto& v, auto& around) {
       for (auto& variable : parse_variable_file(around.read_file(v), v, around.environment))
         s.environment.push_back(std::move(variable));
     }},
    {"-e,--env", "KEY[=VALUE]", "set a variable; KEY alone passes ours on", &RunFlags::env,
     [](auto& s, auto& v, auto& around) {
       if (auto variable = parse_variable(v, around.environment)) s.environment.push_back(*variable);
     }},
    {"-v,--volume", "[SOURCE:]TARGET[:ro]", "mount a volume or a host directory", &RunFlags::volumes,
     [](auto& s, auto& v, auto& around) { s.mounts.push_back(parse_volume(v, around.directory)); }},
    {"--mount", "KEY=VALUE,...", "mount (type, source, target, readonly, ...)", &RunFlags::mounts,
     [](auto& s, auto& v, auto& around) { s.mounts.push_back(parse_mount(v, around.directory)); }},
    {"--tmpfs", "TARGET[:OPTIONS]", "mount a tmpfs (size, mode, uid, gid, exec, ...)", &RunFlags::tmpfs,
     [](auto& s, auto& v, auto&) { s.mounts.push_back(parse_tmpfs(v)); }},
    {"-p,--publish", "[[IP:]HOST:]PORT[/udp]", "publish a port", &RunFlags::publish,
     [](auto& s, auto& v, auto&) {
       for (auto& binding : parse_ports(v)) s.ports.push_back(std::move(binding));
     }},
    {"-l,--label", "KEY=VALUE", "set a label", &RunFlags::labels,
     [](auto& s, auto& v, auto&) {
       s.labels.insert_or_assign(parse_pair(v, "--label").first, parse_pair(v, "--label").second);
     }},
    {"--cap-add", "CAPABILITY", "give it a capability", &RunFlags::cap_add,
     [](auto& s, auto& v, auto&) { s.security.cap_add.push_back(v); }},
    {"--cap-drop", "CAPABILITY", "take a capability away", &RunFlags::cap_drop,
     [](auto& s, auto& v, auto&) { s.security.cap_drop.push_back(v); }},
    {"--security-opt", "OPTION", "seccomp=FILE|unconfined, no-new-privileges=false, ...", &RunFlags::security_options,
     [](auto& s, auto& v, auto& around) { apply_security_option(v, s.security, around.read_file); }},
    {"--log-opt", "KEY=VALUE", "max-size, max-file, tag, and what the log driver has", &RunFlags::log_options,
     [](auto& s, auto& v, auto&) { apply_log_option(v, s.log); }},
    {"--ulimit", "NAME=SOFT[:HARD]", "resource limit", &RunFlags::ulimits,
     [](auto& s, auto& v, auto&) { s.ulimits.push_back(parse_ulimit(v)); }},
    {"--sysctl", "KEY=VALUE", "kernel setting of its namespaces", &RunFlags::sysctls,
     [](auto& s, auto& v, auto&) {
       s.sysctls.insert_or_assign(parse_pair(v, "--sysctl").first, parse_pair(v, "--sysctl").second);
     }},
    {"--add-host", "NAME:ADDRESS", "a line for /etc/hosts", &RunFlags::extra_hosts,
     [](auto& s, auto& v, auto&) { s.extra_hosts.push_back(parse_extra_host(v)); }},
    {"--dns", "ADDRESS", "name server to ask", &RunFlags::dns, [](auto& s, auto& v, auto&) { s.dns.push_back(v); }},
    {"--dns-search", "DOMAIN", "domain to look names up in; '.' for none", &RunFlags::dns_search,
     [](auto& s, auto& v, auto&) { s.dns_search.push_back(v); }},
    {"--dns-option", "OPTION", "option of the resolver (ndots:2)", &RunFlags::dns_options,
     [](auto& s, auto& v, auto&) { s.dns_options.push_back(v); }},
    {"--device", "DEVICE[:TARGET][:rwm]", "give it a device of the host", &RunFlags::devices,
     [](auto& s, auto& v, auto&) {
       if (is_cdi_name(v)) {
         s.cdi_devices.push_back(v);
       } else {
         s.devices.push_back(parse_device(v));
       }
     }},
    {"--device-cgroup-rule", "RULE", "let it use devices it makes ('c 13:* rw')", &RunFlags::device_rules,
     [](auto& s, auto& v, auto&) { s.device_rules.push_back(v); }},
    {"--device-read-bps", "DEVICE:SIZE", "bytes a second to read", &RunFlags::read_bps,
     [](auto& s, auto& v, auto&) { block_io(s).read_bps.push_back(parse_device_limit(v, "--device-read-bps")); }},
    {"--device-write-bps", "DEVICE:SIZE", "bytes a second to write", &RunFlags::write_bps,
     [](auto& s, auto& v, auto&) { block_io(s).write_bps.push_back(parse_device_limit(v, "--device-write-bps")); }},
    {"--device-read-iops", "DEVICE:NUMBER", "reads a second", &RunFlags::read_iops,
     [](auto& s, auto& v, auto&) { block_io(s).read_iops.push_back(parse_device_limit(v, "--device-read-iops")); }},
    {"--device-write-iops", "DEVICE:NUMBER", "writes a second", &RunFlags::write_iops,
     [](auto& s, auto& v, auto&) { block_io(s).write_iops.push_back(parse_device_limit(v, "--device-write-iops")); }},
    {"--group-add", "GROUP", "further group of its user", &RunFlags::group_add,
     [](auto& s, auto& v, auto&) { s.group_add.push_back(v); }},
    {"--link", "CONTAINER[:ALIAS]", "name of another container", &RunFlags::links,
     [](auto& s, auto& v, auto&) { s.links.push_back(parse_link(v)); }},
    {"--volumes-from", "CONTAINER[:ro]", "the mounts of another container", &RunFlags::volumes_from,
     [](auto& s, auto& v, auto&) { s.volumes_from.push_back(parse_volumes_from(v)); }},
    {"--expose", "PORT[/udp]", "port it listens on", &RunFlags::exposed,
     [](auto& s, auto& v, auto&) { s.exposed_ports.push_back(v); }},
    {"--annotation", "KEY=VALUE", "for the OCI runtime", &RunFlags::annotations,
     [](auto& s, auto& v, auto&) {
       s.annotations.insert_or_assign(parse_pair(v, "--annotation").first, parse_pair(v, "--annotation").second);
     }},
};

void apply_networks(const RunFlags& flags, ContainerSpec& spec) {
  for (const auto& name : flags.networks) {
    if (name == "none") {
      spec.no_network = true;
    } else if (name == "host" || name.starts_with("container:")) {
      spec.namespaces.network = parse_namespace(name, "--network");
    } else {
      spec.networks.push_back({.network = name, .aliases = flags.aliases});
    }
  }
  bool unsaid = spec.networks.empty() && !spec.no_network && !spec.namespaces.network;
  if (flags.mac && unsaid) spec.networks.push_back({.network = engine::kDefaultNetwork});
  bool extras = !flags.aliases.empty() || flags.ip || flags.ip6 || flags.mac;
  if (extras && spec.networks.size() != 1)
    throw Error(ErrorKind::invalid, "--network-alias, --ip, --ip6 and --mac-address need exactly one --network");
  if (!extras) return;
  spec.networks[0].ipv4 = flags.ip;
  spec.networks[0].ipv6 = flags.ip6;
  spec.networks[0].mac = flags.mac;
}

}  // namespace

void declare_run_flags(Options& options, RunFlags& flags) {
  for (const auto& row : kSwitchFlags) options.flag(std::string(row.names), flags.*row.member, std::string(row.help));
  for (const auto& row : kValueFlags)
    options.value(std::string(row.names), std::string(row.label), flags.*row.member, std::string(row.help));
  for (const auto& row : kListFlags)
    options.list(std::string(row.names), std::string(row.label), flags.*row.member, std::string(row.help));
  options.value("--entrypoint", "COMMAND", flags.entrypoint, "replace the image's entrypoint")
      .list("--network,--net", "NETWORK", flags.networks, "network to join, none, host or container:NAME")
      .list("--network-alias", "NAME", flags.aliases, "further name in that network")
      .value("--ip", "ADDRESS", flags.ip, "wanted IPv4 address")
      .value("--ip6", "ADDRESS", flags.ip6, "wanted IPv6 address")
      .value("--mac-address", "ADDRESS", flags.mac, "wanted hardware address");
}

ContainerSpec make_spec(const RunFlags& flags, const RunSurroundings& surroundings) {
  ContainerSpec spec;
  for (const auto& row : kSwitchFlags)
    if (flags.*row.member) row.apply(spec);
  for (const auto& row : kValueFlags)
    if (!(flags.*row.member).empty()) row.apply(spec, flags.*row.member);
  for (const auto& row : kListFlags)
    for (const auto& value : flags.*row.member) row.apply(spec, value, surroundings);
  if (!flags.entrypoint.empty()) spec.entrypoint = std::vector<std::string>{flags.entrypoint};
  apply_networks(flags, spec);
  bool settings_only = spec.health && !spec.health->disable && spec.health->shell.empty();
  if (settings_only) throw Error(ErrorKind::invalid, "--health-interval and its like need --health-cmd");
  if (spec.auto_remove && spec.restart.mode != engine::RestartMode::no)
    throw Error(ErrorKind::invalid, "--rm and --restart exclude each other");
  return spec;
}

}  // namespace gantry::cli
