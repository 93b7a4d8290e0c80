#include "service.h"

#include <algorithm>

#include "mounts.h"
#include "ports.h"

namespace gantry::compose {

namespace {

template <auto... Path>
void list(const Value& value, ServiceDraft& draft) {
  value.read_list((draft.*....*Path));
}

template <auto... Path>
void command(const Value& value, ServiceDraft& draft) {
  std::vector<std::string> words;
  if (value.read_command(words)) (draft.*....*Path) = std::move(words);
}

template <auto... Path>
void bytes(const Value& value, ServiceDraft& draft) {
  std::uint64_t size = 0;
  if (value.read_bytes(size)) (draft.*....*Path) = size;
}

template <auto... Path>
void capabilities(const Value& value, ServiceDraft& draft) {
  read_capabilities(value, (draft.*....*Path));
}

void read_platform(const Value& value, ServiceDraft&) {
#if defined(__x86_64__)
  static const std::vector<std::string> kHost{"linux", "linux/amd64", "linux/x86_64", "amd64"};
#elif defined(__aarch64__)
  static const std::vector<std::string> kHost{"linux", "linux/arm64", "linux/arm64/v8", "linux/aarch64", "arm64"};
#endif
  auto platform = value.string();
  if (platform && std::ranges::find(kHost, *platform) == kHost.end())
    value.unsupported(
        fmt::format("Gantry does not support other platforms than the host's yet, this is '{}'", *platform));
}

void read_cpu_quota(const Value& value, ServiceDraft& draft) {
  std::int32_t microseconds = 0;
  if (value.read(microseconds)) draft.service.limits.cpu_quota = microseconds;
}

void read_pull_policy(const Value& value, ServiceDraft& draft) {
  static const std::map<std::string_view, PullPolicy> kPolicies{{"missing", PullPolicy::missing},
                                                                {"if_not_present", PullPolicy::missing},
                                                                {"always", PullPolicy::always},
                                                                {"never", PullPolicy::never},
                                                                {"build", PullPolicy::build}};
  auto name = value.string();
  if (!name) return;
  if (auto found = kPolicies.find(*name); found != kPolicies.end()) {
    draft.service.pull_policy = found->second;
  } else if (*name == "daily" || *name == "weekly" || name->starts_with("every_") || *name == "refresh") {
    value.unsupported(fmt::format("Gantry does not support the pull policy '{}' yet", *name));
  } else {
    value.invalid(fmt::format("unknown pull policy '{}': expected missing, always, never or build", *name));
  }
}

constexpr auto kService = &ServiceDraft::service;
constexpr auto kLimits = &Service::limits;
constexpr auto kSecurity = &Service::security;

constexpr Key<ServiceDraft> kServiceKeys[] = {
    {"annotations", into<kService, &Service::annotations>},
    {"attach", into<kService, &Service::attach>},
    {"build", read_build},
    {"cap_add", capabilities<kService, kSecurity, &Security::cap_add>},
    {"cap_drop", capabilities<kService, kSecurity, &Security::cap_drop>},
    {"command", command<kService, &Service::command>},
    {"container_name", into<kService, &Service::container_name>},
    {"cpu_shares", into<kService, kLimits, &Limits::cpu_shares>},
    {"cpus", into<kService, kLimits, &Limits::cpus>},
    {"cpuset", into<kService, kLimits, &Limits::cpuset>},
    {"depends_on", read_depends_on},
    {"deploy", read_deploy},
    {"dns", list<kService, &Service::dns>},
    {"dns_opt", into<kService, &Service::dns_options>},
    {"dns_search", list<kService, &Service::dns_search>},
    {"domainname", into<kService, &Service::domainname>},
    {"entrypoint", command<kService, &Service::entrypoint>},
    {"env_file", read_env_files},
    {"environment", into<&ServiceDraft::environment>},
    {"expose", [](const Value& value,
                  ServiceDraft& draft) { read_expose(value, draft.model_path + ".expose", draft.service.expose); }},
    {"extra_hosts", read_extra_hosts},
    {"group_add", into<kService, &Service::group_add>},
    {"healthcheck", read_healthcheck},
    {"hostname", into<kService, &Service::hostname>},
    {"image", into<kService, &Service::image>},
    {"init", into<kService, &Service::init>},
    {"labels", into<kService, &Service::labels>},
    {"logging", read_logging},
    {"mem_limit", bytes<kService, kLimits, &Limits::memory>},
    {"mem_reservation", bytes<kService, kLimits, &Limits::memory_reservation>},
    {"memswap_limit", read_memswap_limit},
    {"network_mode", read_network_mode},
    {"networks", read_networks},
    {"pids_limit", [](const Value& value, ServiceDraft& draft) { read_pids(value, draft.service.limits); }},
    {"platform", read_platform},
    {"ports", [](const Value& value,
                 ServiceDraft& draft) { read_ports(value, draft.model_path + ".ports", draft.service.ports); }},
    {"privileged", into<kService, kSecurity, &Security::privileged>},
    {"profiles", into<kService, &Service::profiles>},
    {"pull_policy", read_pull_policy},
    {"read_only", into<kService, kSecurity, &Security::read_only>},
    {"restart", read_restart},
    {"scale", into<&ServiceDraft::scale>},
    {"security_opt", read_security_opt},
    {"shm_size", bytes<kService, &Service::shm_size>},
    {"stdin_open", into<kService, &Service::stdin_open>},
    {"stop_grace_period", into<kService, &Service::stop_grace_period>},
    {"stop_signal", into<kService, &Service::stop_signal>},
    {"sysctls", into<kService, &Service::sysctls>},
    {"tmpfs", [](const Value& value, ServiceDraft& draft) { read_tmpfs(value, {}, draft.tmpfs); }},
    {"tty", into<kService, &Service::tty>},
    {"ulimits", read_ulimits},
    {"user", into<kService, &Service::user>},
    {"userns_mode", read_userns_mode},
    {"volumes", [](const Value& value,
                   ServiceDraft& draft) { read_mounts(value, draft.model_path + ".mounts", draft.service.mounts); }},
    {"working_dir", into<kService, &Service::working_dir>},
    {"blkio_config", read_block_io},
    {"cgroup", read_cgroup},
    {"cgroup_parent"},
    {"configs", read_configs},
    {"cpu_count"},
    {"cpu_percent"},
    {"cpu_period", into<kService, kLimits, &Limits::cpu_period>},
    {"cpu_quota", read_cpu_quota},
    {"cpu_rt_period"},
    {"cpu_rt_runtime"},
    {"credential_spec"},
    {"develop"},
    {"device_cgroup_rules", into<kService, &Service::device_rules>},
    {"devices", read_devices},
    {"external_links", read_external_links},
    {"gpus"},
    {"ipc", read_ipc},
    {"isolation"},
    {"label_file"},
    {"links", read_links},
    {"mac_address", into<&ServiceDraft::mac_address>},
    {"mem_swappiness", into<kService, kLimits, &Limits::memory_swappiness>},
    {"models"},
    {"oom_kill_disable", into<kService, kLimits, &Limits::oom_kill_disable>},
    {"oom_score_adj", into<kService, kLimits, &Limits::oom_score_adj>},
    {"pid", read_pid},
    {"post_start"},
    {"pre_stop"},
    {"provider"},
    {"pull_refresh_after"},
    {"runtime"},
    {"secrets", read_secrets},
    {"storage_opt"},
    {"use_api_socket"},
    {"uts", read_uts},
    {"volumes_from", read_volumes_from},
};

/// Two keys may say the same thing; they must not say different things.
template <class T>
void unite(const Value& value, std::string_view old_key, std::optional<T>& mine, std::string_view deploy_key,
           const std::optional<T>& other) {
  if (mine && other && *mine != *other)
    value.find(old_key)->invalid(fmt::format("differs from '{}': give only one of them", deploy_key));
  if (other) mine = other;
}

void unite_with_deploy(const Value& value, ServiceDraft& draft) {
  auto& limits = draft.service.limits;
  const auto& deploy = draft.deploy_limits;
  unite(value, "cpus", limits.cpus, "deploy.resources.limits.cpus", deploy.cpus);
  unite(value, "mem_limit", limits.memory, "deploy.resources.limits.memory", deploy.memory);
  unite(value, "mem_reservation", limits.memory_reservation, "deploy.resources.reservations.memory",
        deploy.memory_reservation);
  unite(value, "pids_limit", limits.pids, "deploy.resources.limits.pids", deploy.pids);
  limits.unlimited_pids = limits.unlimited_pids || deploy.unlimited_pids;
  // As in the Docker Engine API, 0 is no limit.
  if (limits.cpus == 0) limits.cpus.reset();
  if (limits.memory == 0u) limits.memory.reset();
  if (limits.memory_reservation == 0u) limits.memory_reservation.reset();
  unite(value, "scale", draft.scale, "deploy.replicas", draft.deploy_replicas);
  draft.service.replicas = draft.scale.value_or(1);
  if (!draft.deploy_restart) return;
  if (auto restart = value.find("restart"))
    restart->invalid("'restart' and 'deploy.restart_policy' exclude each other");
  draft.service.restart = *draft.deploy_restart;
}

void require_image(const Value& value, const Service& service) {
  if (service.image.empty() && !service.build && !value.find("image") && !value.find("build"))
    value.invalid("a service needs 'image' or 'build'");
}

void settle_networks(const Value& value, ServiceDraft& draft) {
  if (draft.network_mode && draft.networks_given)
    value.find("network_mode")->invalid("'network_mode' and 'networks' exclude each other");
  bool is_attached = draft.service.network_mode == NetworkMode::networks;
  if (is_attached && draft.service.networks.empty()) draft.service.networks["default"] = {};
  if (!is_attached) draft.service.networks.clear();
  if (!draft.mac_address) return;
  auto where = value.find("mac_address").value_or(value);
  if (draft.service.networks.size() != 1)
    return where.invalid("needs exactly one network; with several, give each its own 'mac_address'");
  draft.service.networks.begin()->second.mac_address = draft.mac_address;
}

void append_tmpfs(const Value& value, ServiceDraft& draft) {
  auto key = value.find("tmpfs");
  for (std::size_t i = 0; i < draft.tmpfs.size(); ++i) {
    auto where = key->node().is_sequence() ? key->at(i) : *key;
    where.writes(fmt::format("{}.mounts[{}]", draft.model_path, draft.service.mounts.size()));
    draft.service.mounts.push_back(std::move(draft.tmpfs[i]));
  }
}

}  // namespace

Service read_service(const Value& value, const std::string& name) {
  ServiceDraft draft;
  draft.service.name = name;
  draft.model_path = "services." + name;
  value.writes(draft.model_path);
  if (read_keys<ServiceDraft>(value, kServiceKeys, draft)) {
    unite_with_deploy(value, draft);
    settle_networks(value, draft);
    append_tmpfs(value, draft);
    resolve_environment(value, draft);
    require_image(value, draft.service);
  }
  if (draft.service.image.empty()) draft.service.image = fmt::format("{}-{}", value.reader().stack_name, name);
  return std::move(draft.service);
}

}  // namespace gantry::compose
