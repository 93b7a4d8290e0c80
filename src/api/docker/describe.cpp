#include "describe.h"

#include <algorithm>
#include <cmath>

#include "human.h"
#include "routes.h"

namespace gantry::api::docker {
namespace {

namespace bj = boost::json;
using engine::ContainerInfo;
using engine::ContainerSpec;

std::string port_name(const engine::PortBinding& port) {
  return std::to_string(port.container_port) + "/" + json::name_of(port.protocol);
}

std::string normal_port(const std::string& port) { return port.find('/') == std::string::npos ? port + "/tcp" : port; }

/// One binding for each address family, as Docker shows a port that is published on every address.
std::vector<std::string> shown_addresses(const std::string& host_ip) {
  if (host_ip.empty()) return {"0.0.0.0", "::"};
  return {host_ip};
}

bj::value health_config(const std::optional<engine::HealthCheck>& check) {
  if (!check) return nullptr;
  bj::array test;
  if (check->disable) {
    test.emplace_back("NONE");
  } else if (!check->shell.empty()) {
    test = {"CMD-SHELL", check->shell};
  } else if (!check->test.empty()) {
    test.emplace_back("CMD");
    for (const auto& word : check->test) test.emplace_back(word);
  }
  return bj::object{{"Test", std::move(test)},
                    {"Interval", check->interval.count()},
                    {"Timeout", check->timeout.count()},
                    {"StartPeriod", check->start_period.count()},
                    {"StartInterval", check->start_interval.count()},
                    {"Retries", check->retries}};
}

/// The image's command and entry point are not told apart in what runs; what the user gave is.
bj::object config(const ContainerInfo& info, const engine::ContainerDetails& details) {
  const auto& spec = info.spec;
  bj::object exposed;
  for (const auto& port : details.exposed_ports) exposed[normal_port(port)] = bj::object();
  bj::object volumes;
  auto has_name = [&](const engine::Mount& mount) {
    return std::ranges::any_of(spec.mounts, [&](const engine::Mount& asked) {
      return asked.target == mount.target && (!asked.source.empty() || !asked.image.empty());
    });
  };
  for (const auto& mount : details.mounts)
    if (mount.type == engine::MountType::volume && !has_name(mount)) volumes[mount.target] = bj::object();
  bj::object out{{"Hostname", details.hostname},
                 {"Domainname", spec.domain_name},
                 {"User", details.user},
                 {"AttachStdin", spec.stdin_once},
                 {"AttachStdout", true},
                 {"AttachStderr", true},
                 {"Tty", spec.tty},
                 {"OpenStdin", spec.open_stdin},
                 {"StdinOnce", spec.stdin_once},
                 {"Env", strings_array(details.environment)},
                 {"Cmd", strings_or_null(details.command)},
                 {"Image", spec.image},
                 {"Volumes", volumes.empty() ? bj::value(nullptr) : bj::value(volumes)},
                 {"WorkingDir", details.working_dir == "/" && spec.working_dir.empty() ? "" : details.working_dir},
                 {"Entrypoint", strings_or_null(details.entrypoint)},
                 {"OnBuild", nullptr},
                 {"Labels", labels_object(spec.labels)}};
  if (!exposed.empty()) out["ExposedPorts"] = std::move(exposed);
  if (spec.health) out["Healthcheck"] = health_config(spec.health);
  if (!spec.health && details.health) out["Healthcheck"] = health_config(details.health);
  if (spec.stop_signal) out["StopSignal"] = *spec.stop_signal;
  if (spec.stop_grace) out["StopTimeout"] = std::chrono::duration_cast<std::chrono::seconds>(*spec.stop_grace).count();
  return out;
}

std::string mode_text(const std::optional<engine::Namespace>& space, const char* otherwise) {
  if (!space) return otherwise;
  switch (space->mode) {
    case engine::NamespaceMode::host:
      return "host";
    case engine::NamespaceMode::container:
      return "container:" + space->container;
    case engine::NamespaceMode::shareable:
      return "shareable";
    case engine::NamespaceMode::none:
      return "none";
    case engine::NamespaceMode::private_:
      return otherwise;
  }
  return otherwise;
}

std::string restart_name(engine::RestartMode mode) {
  switch (mode) {
    case engine::RestartMode::always:
      return "always";
    case engine::RestartMode::on_failure:
      return "on-failure";
    case engine::RestartMode::unless_stopped:
      return "unless-stopped";
    case engine::RestartMode::no:
      return "no";
  }
  return "no";
}

bj::value security_options(const engine::Security& security) {
  bj::array out;
  if (security.no_new_privileges) out.emplace_back("no-new-privileges");
  if (security.seccomp == engine::Seccomp::unconfined) out.emplace_back("seccomp=unconfined");
  if (!security.seccomp_profile.empty()) out.emplace_back("seccomp=" + security.seccomp_profile);
  if (!security.apparmor.empty()) out.emplace_back("apparmor=" + security.apparmor);
  for (const auto& label : security.selinux) out.emplace_back("label=" + label);
  if (out.empty()) return nullptr;
  return out;
}

std::string bind_text(const engine::Mount& mount) {
  std::string options;
  auto add = [&](const std::string& option) { options += (options.empty() ? "" : ",") + option; };
  if (mount.read_only) add("ro");
  if (mount.no_copy) add("nocopy");
  if (mount.propagation != engine::Propagation::rprivate) add(json::name_of(mount.propagation));
  return mount.source + ":" + mount.target + (options.empty() ? "" : ":" + options);
}

/// What was asked for in the long form, which alone can say all of this.
bool needs_long_form(const engine::Mount& mount) {
  if (mount.type == engine::MountType::tmpfs) return false;
  if (mount.type == engine::MountType::bind)
    return !mount.create_source || !mount.recursive || !mount.read_only_recursive;
  return !mount.image.empty() || !mount.subpath.empty() || !mount.volume_labels.empty() ||
         !mount.volume_options.empty();
}

bj::object long_mount(const engine::Mount& mount) {
  bj::object out{{"Type", json::name_of(mount.type)}, {"Source", mount.source}, {"Target", mount.target}};
  if (mount.read_only) out["ReadOnly"] = true;
  if (!mount.image.empty()) {
    out["Type"] = "image";
    out["Source"] = mount.image;
    if (!mount.image_path.empty()) out["ImageOptions"] = bj::object{{"Subpath", mount.image_path}};
    return out;
  }
  if (mount.type == engine::MountType::bind && mount.propagation != engine::Propagation::rprivate)
    out["BindOptions"] = bj::object{{"Propagation", json::name_of(mount.propagation)}};
  if (mount.type == engine::MountType::volume) {
    bj::object options;
    if (mount.no_copy) options["NoCopy"] = true;
    if (!mount.subpath.empty()) options["Subpath"] = mount.subpath;
    if (!mount.volume_labels.empty()) options["Labels"] = labels_object(mount.volume_labels);
    if (!mount.volume_options.empty())
      options["DriverConfig"] = bj::object{{"Name", "local"}, {"Options", labels_object(mount.volume_options)}};
    if (!options.empty()) out["VolumeOptions"] = std::move(options);
  }
  return out;
}

std::string tmpfs_text(const engine::Mount& mount) {
  std::string out;
  auto add = [&](const std::string& option) { out += (out.empty() ? "" : ",") + option; };
  if (mount.read_only) add("ro");
  if (mount.tmpfs_size) add("size=" + std::to_string(*mount.tmpfs_size));
  if (mount.tmpfs_mode) add(fmt::format("mode={:o}", *mount.tmpfs_mode));
  if (mount.tmpfs_uid) add("uid=" + std::to_string(*mount.tmpfs_uid));
  if (mount.tmpfs_gid) add("gid=" + std::to_string(*mount.tmpfs_gid));
  for (const auto& option : mount.options) add(option);
  return out;
}

template <class T>
bj::value number_or_zero(const std::optional<T>& number) {
  return number ? bj::value(*number) : bj::value(0);
}

bj::value device_limits(const std::vector<engine::DeviceLimit>& limits, const char* name) {
  if (limits.empty()) return nullptr;
  bj::array out;
  for (const auto& limit : limits) out.push_back(bj::object{{"Path", limit.path}, {name, limit.value}});
  return out;
}

void add_resources(const engine::Resources& limits, bj::object* out) {
  auto& o = *out;
  o["Memory"] = number_or_zero(limits.memory);
  o["MemorySwap"] = limits.memory_swap == engine::kUnlimited ? bj::value(-1) : number_or_zero(limits.memory_swap);
  o["MemoryReservation"] = number_or_zero(limits.memory_reservation);
  o["MemorySwappiness"] = limits.memory_swappiness ? bj::value(*limits.memory_swappiness) : bj::value(nullptr);
  o["NanoCpus"] = limits.cpus ? static_cast<std::int64_t>(std::llround(*limits.cpus * 1e9)) : 0;
  o["CpuShares"] = number_or_zero(limits.cpu_shares);
  o["CpuPeriod"] = number_or_zero(limits.cpu_period);
  o["CpuQuota"] = number_or_zero(limits.cpu_quota);
  o["CpuRealtimePeriod"] = number_or_zero(limits.cpu_realtime_period);
  o["CpuRealtimeRuntime"] = number_or_zero(limits.cpu_realtime_runtime);
  o["CpusetCpus"] = limits.cpuset.value_or("");
  o["CpusetMems"] = limits.cpuset_mems.value_or("");
  o["PidsLimit"] = limits.pids ? bj::value(*limits.pids) : bj::value(nullptr);
  o["OomKillDisable"] = limits.oom_kill_disable.value_or(false);
  o["OomScoreAdj"] = limits.oom_score_adj.value_or(0);
  o["ShmSize"] = limits.shm_size.value_or(64u << 20);
  auto io = limits.block_io.value_or(engine::BlockIo{});
  o["BlkioWeight"] = number_or_zero(io.weight);
  o["BlkioWeightDevice"] = device_limits(io.weights, "Weight");
  o["BlkioDeviceReadBps"] = device_limits(io.read_bps, "Rate");
  o["BlkioDeviceWriteBps"] = device_limits(io.write_bps, "Rate");
  o["BlkioDeviceReadIOps"] = device_limits(io.read_iops, "Rate");
  o["BlkioDeviceWriteIOps"] = device_limits(io.write_iops, "Rate");
}

bj::object port_bindings(const ContainerSpec& spec) {
  bj::object out;
  for (const auto& port : spec.ports) {
    auto& list = out[port_name(port)];
    if (!list.is_array()) list = bj::array();
    auto text = port.host_port == 0 ? std::string() : std::to_string(port.host_port);
    if (port.host_port_end != 0) text += "-" + std::to_string(port.host_port_end);
    list.get_array().push_back(
        bj::object{{"HostIp", port.host_ip == engine::kEveryAddress ? "" : port.host_ip}, {"HostPort", text}});
  }
  return out;
}

/// As it was written; what other clients asked for in its own words.
bj::object log_config(const engine::LogOptions& log) {
  if (!log.written.empty()) return labels_object(log.written);
  engine::LogOptions usual;
  auto out = labels_object(log.options);
  if (log.max_size != usual.max_size) out["max-size"] = std::to_string(log.max_size);
  if (log.max_files != usual.max_files) out["max-file"] = std::to_string(log.max_files);
  return out;
}

bj::object host_config(const ContainerInfo& info) {
  const auto& spec = info.spec;
  bj::array binds, mounts;
  bj::object tmpfs;
  for (const auto& mount : spec.mounts) {
    if (mount.type == engine::MountType::tmpfs) {
      tmpfs[mount.target] = tmpfs_text(mount);
    } else if (needs_long_form(mount)) {
      mounts.push_back(long_mount(mount));
    } else if (!mount.source.empty()) {
      binds.emplace_back(bind_text(mount));
    }
  }
  bj::array ulimits;
  for (const auto& limit : spec.ulimits) {
    auto bound = [](std::uint64_t value) {
      return value == engine::kUnlimited ? -1 : static_cast<std::int64_t>(value);
    };
    ulimits.push_back(bj::object{{"Name", limit.name}, {"Hard", bound(limit.hard)}, {"Soft", bound(limit.soft)}});
  }
  bj::array devices, requests;
  for (const auto& device : spec.devices)
    devices.push_back(bj::object{{"PathOnHost", device.source},
                                 {"PathInContainer", device.target.empty() ? device.source : device.target},
                                 {"CgroupPermissions", device.access}});
  if (!spec.cdi_devices.empty())
    requests.push_back(bj::object{{"Driver", "cdi"},
                                  {"Count", 0},
                                  {"DeviceIDs", strings_array(spec.cdi_devices)},
                                  {"Capabilities", nullptr},
                                  {"Options", bj::object()}});
  bj::array from, links;
  for (const auto& one : spec.volumes_from) from.emplace_back(one.container + (one.read_only ? ":ro" : ""));
  for (const auto& link : spec.links)
    links.emplace_back("/" + link.container + ":/" + spec.name + "/" +
                       (link.alias.empty() ? link.container : link.alias));
  bj::object out{
      {"Binds", binds.empty() ? bj::value(nullptr) : bj::value(binds)},
      {"ContainerIDFile", ""},
      {"LogConfig", bj::object{{"Type", spec.log.driver}, {"Config", log_config(spec.log)}}},
      {"NetworkMode", network_mode(spec)},
      {"PortBindings", port_bindings(spec)},
      {"RestartPolicy",
       bj::object{{"Name", restart_name(spec.restart.mode)}, {"MaximumRetryCount", spec.restart.max_retries}}},
      {"AutoRemove", spec.auto_remove},
      {"VolumeDriver", ""},
      {"VolumesFrom", from.empty() ? bj::value(nullptr) : bj::value(from)},
      {"ConsoleSize", bj::array{0, 0}},
      {"CapAdd", strings_or_null(spec.security.cap_add)},
      {"CapDrop", strings_or_null(spec.security.cap_drop)},
      {"CgroupnsMode", mode_text(spec.namespaces.cgroup, "private")},
      {"Dns", strings_array(spec.dns)},
      {"DnsOptions", strings_array(spec.dns_options)},
      {"DnsSearch", strings_array(spec.dns_search)},
      {"ExtraHosts", strings_or_null(spec.extra_hosts)},
      {"GroupAdd", strings_or_null(spec.group_add)},
      {"IpcMode", mode_text(spec.namespaces.ipc, "private")},
      {"Cgroup", ""},
      {"Links", links.empty() ? bj::value(nullptr) : bj::value(links)},
      {"PidMode", mode_text(spec.namespaces.pid, "")},
      {"Privileged", spec.security.privileged},
      {"PublishAllPorts", spec.publish_all},
      {"ReadonlyRootfs", spec.read_only},
      {"SecurityOpt", security_options(spec.security)},
      {"UTSMode", mode_text(spec.namespaces.uts, "")},
      {"UsernsMode", spec.security.user_namespace == engine::UserNamespace::host ? "host" : ""},
      {"Runtime", spec.runtime.empty() ? "gantry" : spec.runtime},
      {"Isolation", ""},
      {"CgroupParent", ""},
      {"Devices", std::move(devices)},
      {"DeviceCgroupRules", strings_or_null(spec.device_rules)},
      {"DeviceRequests", requests.empty() ? bj::value(nullptr) : bj::value(requests)},
      {"Ulimits", std::move(ulimits)},
      {"Init", spec.init},
  };
  if (!mounts.empty()) out["Mounts"] = std::move(mounts);
  if (!tmpfs.empty()) out["Tmpfs"] = std::move(tmpfs);
  if (!spec.sysctls.empty()) out["Sysctls"] = labels_object(spec.sysctls);
  if (!spec.annotations.empty()) out["Annotations"] = labels_object(spec.annotations);
  if (spec.security.masked_paths) out["MaskedPaths"] = strings_array(*spec.security.masked_paths);
  if (spec.security.readonly_paths) out["ReadonlyPaths"] = strings_array(*spec.security.readonly_paths);
  add_resources(spec.resources, &out);
  return out;
}

/// The endpoint an attachment has, or will have once the container runs.
bj::object endpoint(const ContainerInfo& info, const engine::NetworkAttachment& wanted, const Surroundings& around,
                    int minor) {
  engine::NetworkAddress address;
  for (const auto& have : info.addresses)
    if (have.network == wanted.network && is_running(info)) address = have;
  auto network = around.networks.find(wanted.network);
  bj::value ipam = nullptr;
  if (wanted.ipv4 || wanted.ipv6) {
    bj::object asked;
    if (wanted.ipv4) asked["IPv4Address"] = *wanted.ipv4;
    if (wanted.ipv6) asked["IPv6Address"] = *wanted.ipv6;
    ipam = std::move(asked);
  }
  bj::value names = nullptr;
  if (wanted.network != engine::kDefaultNetwork) {
    bj::array all{info.spec.name, short_id(info.id)};
    for (const auto& alias : wanted.aliases)
      if (alias != info.spec.name) all.emplace_back(alias);
    names = std::move(all);
  }
  bj::value options = nullptr;
  if (!wanted.driver_options.empty()) options = labels_object(wanted.driver_options);
  // Up to 1.44 the short id was among them.
  auto aliases = wanted.aliases;
  if (minor < 45 && !names.is_null()) aliases.push_back(short_id(info.id));
  return {{"IPAMConfig", std::move(ipam)},
          {"Links", nullptr},
          {"Aliases", strings_or_null(aliases)},
          {"MacAddress", address.mac},
          {"DriverOpts", std::move(options)},
          {"GwPriority", wanted.gateway_priority},
          {"NetworkID", network == around.networks.end() ? "" : network->second.id.str()},
          {"EndpointID", address.endpoint_id},
          {"Gateway", address.gateway},
          {"IPAddress", address.ipv4},
          {"IPPrefixLen", address.prefix4},
          {"IPv6Gateway", address.gateway6},
          {"GlobalIPv6Address", address.ipv6},
          {"GlobalIPv6PrefixLen", address.prefix6},
          {"DNSNames", std::move(names)}};
}

bj::object endpoints(const ContainerInfo& info, const Surroundings& around, int minor) {
  bj::object out;
  const auto& shared = info.spec.namespaces.network;
  for (const auto& wanted : engine::attachments_of(info))
    out[docker_network(wanted.network)] = endpoint(info, wanted, around, minor);
  if (out.empty() && shared && shared->mode == engine::NamespaceMode::host)
    out["host"] = endpoint(info, {.network = "host"}, around, minor);
  if (out.empty() && info.spec.no_network) out["none"] = endpoint(info, {.network = "none"}, around, minor);
  return out;
}

bj::object published(const ContainerInfo& info, const engine::ContainerDetails& details) {
  bj::object out;
  if (!is_running(info)) return out;
  for (const auto& port : details.exposed_ports) out[normal_port(port)] = nullptr;
  for (const auto& port : info.ports) {
    auto& list = out[port_name(port)];
    if (!list.is_array()) list = bj::array();
    for (const auto& address : shown_addresses(port.host_ip))
      list.get_array().push_back(bj::object{{"HostIp", address}, {"HostPort", std::to_string(port.host_port)}});
  }
  return out;
}

bj::object network_settings(const ContainerInfo& info, const engine::ContainerDetails& details,
                            const Surroundings& around, int minor) {
  auto all = endpoints(info, around, minor);
  bj::object out{{"Bridge", ""},
                 {"SandboxID", is_running(info) ? info.id.str() : ""},
                 {"SandboxKey", is_running(info) ? "/proc/" + std::to_string(info.pid) + "/ns/net" : ""},
                 {"Ports", published(info, details)},
                 {"HairpinMode", false},
                 {"LinkLocalIPv6Address", ""},
                 {"LinkLocalIPv6PrefixLen", 0},
                 {"SecondaryIPAddresses", nullptr},
                 {"SecondaryIPv6Addresses", nullptr}};
  // What older clients look at: the endpoint on the default network.
  bj::object none{{"EndpointID", ""}, {"Gateway", ""},    {"GlobalIPv6Address", ""}, {"GlobalIPv6PrefixLen", 0},
                  {"IPAddress", ""},  {"IPPrefixLen", 0}, {"IPv6Gateway", ""},       {"MacAddress", ""}};
  const bj::value* found = all.if_contains(kBridge);
  for (const auto& [key, value] : none) out[key] = found != nullptr ? found->get_object().at(key) : value;
  out["Networks"] = std::move(all);
  return out;
}

bj::array mount_points(const engine::ContainerDetails& details, const Surroundings& around) {
  bj::array out;
  for (const auto& mount : details.mounts) {
    bj::object point{{"Type", json::name_of(mount.type)}};
    if (!mount.image.empty()) {
      point = {{"Type", "image"}, {"Source", mount.image},  {"Destination", mount.target},
               {"Mode", ""},      {"RW", !mount.read_only}, {"Propagation", ""}};
    } else if (mount.type == engine::MountType::volume) {
      auto path = around.volume_paths.find(mount.source);
      point["Name"] = mount.source;
      point["Source"] = path == around.volume_paths.end() ? "" : path->second;
      point["Destination"] = mount.target;
      point["Driver"] = "local";
      point["Mode"] = mount.read_only ? "ro" : "z";
      point["RW"] = !mount.read_only;
      point["Propagation"] = "";
    } else {
      point["Source"] = mount.type == engine::MountType::bind ? mount.source : "";
      point["Destination"] = mount.target;
      point["Mode"] = mount.read_only ? "ro" : "";
      point["RW"] = !mount.read_only;
      point["Propagation"] = mount.type == engine::MountType::bind ? json::name_of(mount.propagation) : "";
    }
    out.push_back(std::move(point));
  }
  return out;
}

bj::object state(const ContainerInfo& info) {
  auto name = state_name(info);
  bj::object out{{"Status", name},
                 {"Running", is_running(info) || name == "restarting"},
                 {"Paused", name == "paused"},
                 {"Restarting", name == "restarting"},
                 {"OOMKilled", info.oom_killed},
                 {"Dead", false},
                 {"Pid", info.pid},
                 {"ExitCode", is_running(info) ? 0 : info.exit_code},
                 {"Error", info.error},
                 {"StartedAt", go_time(info.started)},
                 {"FinishedAt", go_time(info.finished)}};
  if (info.health == engine::Health::none) return out;
  bj::array log;
  for (const auto& result : info.health_log)
    log.push_back(bj::object{{"Start", to_rfc3339(result.started)},
                             {"End", to_rfc3339(result.ended)},
                             {"ExitCode", result.exit_code},
                             {"Output", result.output}});
  out["Health"] = bj::object{
      {"Status", json::name_of(info.health)}, {"FailingStreak", info.health_failures}, {"Log", std::move(log)}};
  return out;
}

}  // namespace

std::string network_mode(const ContainerSpec& spec) {
  if (spec.no_network) return "none";
  if (spec.namespaces.network) return mode_text(spec.namespaces.network, kBridge);
  return spec.networks.empty() ? kBridge : docker_network(spec.networks.front().network);
}

bj::object labels_object(const std::map<std::string, std::string>& labels) {
  bj::object out;
  for (const auto& [key, value] : labels) out[key] = value;
  return out;
}

bj::array strings_array(const std::vector<std::string>& strings) { return bj::array(strings.begin(), strings.end()); }

bj::value strings_or_null(const std::vector<std::string>& strings) {
  if (strings.empty()) return nullptr;
  return strings_array(strings);
}

std::string go_time(const std::optional<Timestamp>& time) { return time ? to_rfc3339(*time) : "0001-01-01T00:00:00Z"; }

bj::object inspect_container(const ContainerInfo& info, const engine::ContainerDetails& details,
                             const Surroundings& around, int minor) {
  std::vector<std::string> arguments(details.argv.begin() + (details.argv.empty() ? 0 : 1), details.argv.end());
  auto own = config(info, details);
  if (minor < 44) own["MacAddress"] = "";
  auto host = host_config(info);
  if (minor < 42) host["KernelMemory"] = host["KernelMemoryTCP"] = 0;
  return {{"Id", info.id.str()},
          {"Created", to_rfc3339(info.created)},
          {"Path", details.argv.empty() ? "" : details.argv.front()},
          {"Args", strings_array(arguments)},
          {"State", state(info)},
          {"Image", info.image_id},
          {"ResolvConfPath", details.resolv_conf_path},
          {"HostnamePath", details.hostname_path},
          {"HostsPath", details.hosts_path},
          {"LogPath", details.log_path},
          {"Name", "/" + info.spec.name},
          {"RestartCount", info.restart_count},
          {"Driver", "overlay2"},
          {"Platform", "linux"},
          {"MountLabel", ""},
          {"ProcessLabel", ""},
          {"AppArmorProfile", info.spec.security.apparmor},
          {"ExecIDs", strings_or_null(details.execs)},
          {"HostConfig", std::move(host)},
          {"GraphDriver", bj::object{{"Name", "overlay2"}, {"Data", bj::object{{"UpperDir", details.upper_path}}}}},
          {"Mounts", mount_points(details, around)},
          {"Config", std::move(own)},
          {"NetworkSettings", network_settings(info, details, around, minor)},
          // What of the default isolation is off for this container.
          {"IsolationOff", strings_array(info.isolation_off)}};
}

bj::object list_container(const ContainerInfo& info, const engine::ContainerDetails& details,
                          const Surroundings& around, int minor) {
  std::string command;
  for (const auto& word : info.argv) command += (command.empty() ? "" : " ") + word;
  bj::array ports;
  if (is_running(info)) {
    std::vector<std::string> shown;
    for (const auto& port : info.ports) {
      shown.push_back(port_name(port));
      for (const auto& address : shown_addresses(port.host_ip))
        ports.push_back(bj::object{{"IP", address},
                                   {"PrivatePort", port.container_port},
                                   {"PublicPort", port.host_port},
                                   {"Type", json::name_of(port.protocol)}});
    }
    for (const auto& port : details.exposed_ports) {
      auto name = normal_port(port);
      if (std::ranges::find(shown, name) != shown.end()) continue;
      ports.push_back(bj::object{{"PrivatePort", std::atoi(name.c_str())}, {"Type", name.substr(name.find('/') + 1)}});
    }
  }
  auto networks = endpoints(info, around, 45);
  for (auto& [name, value] : networks) {
    value.get_object().erase("DNSNames");
    if (minor < 48) value.get_object().erase("GwPriority");
  }
  bj::object host{{"NetworkMode", network_mode(info.spec)}};
  if (minor >= 46 && !info.spec.annotations.empty()) host["Annotations"] = labels_object(info.spec.annotations);
  return {{"Id", info.id.str()},
          {"Names", bj::array{"/" + info.spec.name}},
          {"Image", info.spec.image},
          {"ImageID", info.image_id},
          {"Command", command},
          {"Created", std::chrono::duration_cast<std::chrono::seconds>(info.created.time_since_epoch()).count()},
          {"Ports", std::move(ports)},
          {"Labels", labels_object(info.spec.labels)},
          {"State", state_name(info)},
          {"Status", status_text(info)},
          {"HostConfig", std::move(host)},
          {"NetworkSettings", bj::object{{"Networks", std::move(networks)}}},
          {"Mounts", mount_points(details, around)}};
}

}  // namespace gantry::api::docker
