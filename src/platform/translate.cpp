#include "translate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "gantry/oci/digest.h"

namespace gantry::platform {
namespace {

using compose::Service;
using compose::Stack;

engine::Mount translate(const Stack& stack, const compose::Mount& in) {
  engine::Mount out;
  out.target = in.target;
  out.read_only = in.read_only;
  out.create_source = in.create_host_path;
  out.no_copy = in.no_copy;
  out.tmpfs_size = in.tmpfs_size;
  out.tmpfs_mode = in.tmpfs_mode;
  for (const auto& [name, value] : in.tmpfs_options) out.options.push_back(value.empty() ? name : name + "=" + value);
  out.subpath = in.subpath;
  if (in.type == compose::MountType::bind) out.propagation = static_cast<engine::Propagation>(in.propagation);
  switch (in.type) {
    case compose::MountType::bind:
      out.type = engine::MountType::bind;
      out.source = in.source;
      break;
    case compose::MountType::volume:
      out.type = engine::MountType::volume;
      if (!in.source.empty()) out.source = stack.volumes.at(in.source).name;
      break;
    case compose::MountType::tmpfs:
      out.type = engine::MountType::tmpfs;
      break;
  }
  return out;
}

engine::HealthCheck translate(const compose::HealthCheck& in) {
  engine::HealthCheck out;
  out.disable = in.disable;
  if (!in.test.empty() && in.test[0] == "CMD") out.test.assign(in.test.begin() + 1, in.test.end());
  if (in.test.size() == 2 && in.test[0] == "CMD-SHELL") out.shell = in.test[1];
  if (in.interval) out.interval = *in.interval;
  if (in.timeout) out.timeout = *in.timeout;
  if (in.start_period) out.start_period = *in.start_period;
  if (in.start_interval) out.start_interval = *in.start_interval;
  if (in.retries) out.retries = static_cast<int>(*in.retries);
  return out;
}

engine::RestartPolicy translate(const compose::RestartPolicy& in) {
  static constexpr std::array kModes{engine::RestartMode::no, engine::RestartMode::always,
                                     engine::RestartMode::on_failure, engine::RestartMode::unless_stopped};
  return {.mode = kModes.at(static_cast<std::size_t>(in.condition)),
          .max_retries = static_cast<int>(in.maximum_retries.value_or(0))};
}

engine::BlockIo translate(const compose::BlockIo& in) {
  auto limits = [](const std::vector<compose::DeviceRate>& rates) {
    std::vector<engine::DeviceLimit> out;
    for (const auto& rate : rates) out.push_back({.path = rate.path, .value = rate.value});
    return out;
  };
  engine::BlockIo out;
  if (in.weight) out.weight = static_cast<std::uint16_t>(std::min<std::uint32_t>(*in.weight, 0xffff));
  out.weights = limits(in.weights);
  out.read_bps = limits(in.read_bps);
  out.write_bps = limits(in.write_bps);
  out.read_iops = limits(in.read_iops);
  out.write_iops = limits(in.write_iops);
  return out;
}

engine::Resources translate_resources(const Service& service) {
  const auto& limits = service.limits;
  engine::Resources out{.memory = limits.memory,
                        .memory_swap = limits.memory_and_swap,
                        .memory_reservation = limits.memory_reservation,
                        .cpus = limits.cpus,
                        .cpu_shares = limits.cpu_shares,
                        .cpuset = limits.cpuset,
                        .shm_size = service.shm_size};
  if (limits.pids) out.pids = static_cast<std::int64_t>(*limits.pids);
  if (limits.unlimited_swap) out.memory_swap = engine::kUnlimited;
  out.cpu_quota = limits.cpu_quota;
  out.cpu_period = limits.cpu_period;
  out.memory_swappiness = limits.memory_swappiness;
  out.oom_kill_disable = limits.oom_kill_disable;
  out.oom_score_adj = limits.oom_score_adj;
  if (service.block_io) out.block_io = translate(*service.block_io);
  return out;
}

// Of a service it is the first replica, as with Docker.
std::string container_of(const Stack& stack, const std::string& name, bool in_stack) {
  return in_stack ? compose::container_name(stack, stack.services.at(name), 1) : name;
}

std::optional<engine::Namespace> translate(const Stack& stack, const compose::Share& share) {
  using enum compose::ShareMode;
  using Mode = engine::NamespaceMode;
  switch (share.mode) {
    case private_:
      return std::nullopt;
    case host:
      return engine::Namespace{.mode = Mode::host};
    case shareable:
      return engine::Namespace{.mode = Mode::shareable};
    case none:
      return engine::Namespace{.mode = Mode::none};
    case service:
    case container:
      break;
  }
  return engine::Namespace{.mode = Mode::container,
                           .container = container_of(stack, share.name, share.mode == service)};
}

void translate_sharing(const Stack& stack, const Service& service, engine::ContainerSpec* spec) {
  const auto& sharing = service.sharing;
  spec->namespaces = {.network = translate(stack, sharing.network),
                      .pid = translate(stack, sharing.pid),
                      .ipc = translate(stack, sharing.ipc),
                      .uts = translate(stack, sharing.uts),
                      .cgroup = translate(stack, sharing.cgroup)};
  if (service.network_mode == compose::NetworkMode::host)
    spec->namespaces.network = engine::Namespace{.mode = engine::NamespaceMode::host};
  for (const auto& link : service.links)
    spec->links.push_back({container_of(stack, link.name, link.in_stack), link.alias.empty() ? link.name : link.alias});
  for (const auto& from : service.volumes_from)
    spec->volumes_from.push_back({container_of(stack, from.name, from.in_stack), from.read_only});
  for (const auto& device : service.devices) {
    if (device.source.starts_with('/')) {
      spec->devices.push_back({device.source, device.target, device.permissions});
    } else {
      spec->cdi_devices.push_back(device.source);
    }
  }
  spec->device_rules = service.device_rules;
}

engine::Security translate(const compose::Security& in) {
  return {.user_namespace = in.user_namespace_host ? engine::UserNamespace::host : engine::UserNamespace::private_,
          .seccomp = in.seccomp_unconfined ? engine::Seccomp::unconfined : engine::Seccomp::default_,
          .no_new_privileges = in.no_new_privileges,
          .privileged = in.privileged,
          .unmask_paths = in.unmask_paths,
          .cap_add = in.cap_add,
          .cap_drop = in.cap_drop,
          .seccomp_profile = in.seccomp_profile,
          .apparmor = in.apparmor,
          .selinux = in.labels};
}

// The network with the highest priority carries the default route, so it comes first.
std::vector<engine::NetworkAttachment> attachments(const Stack& stack, const Service& service) {
  std::vector<std::pair<std::int32_t, engine::NetworkAttachment>> ranked;
  for (const auto& [key, attachment] : service.networks) {
    engine::NetworkAttachment out{.network = stack.networks.at(key).name,
                                  .aliases = attachment.aliases,
                                  .ipv4 = attachment.ipv4_address,
                                  .ipv6 = attachment.ipv6_address,
                                  .mac = attachment.mac_address};
    out.aliases.insert(out.aliases.begin(), service.name);
    ranked.emplace_back(attachment.priority, std::move(out));
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<engine::NetworkAttachment> out;
  for (auto& [priority, attachment] : ranked) out.push_back(std::move(attachment));
  return out;
}

std::vector<engine::Ulimit> translate(const std::map<std::string, compose::Ulimit>& limits) {
  constexpr auto kUnlimited = std::numeric_limits<std::uint64_t>::max();
  std::vector<engine::Ulimit> out;
  for (const auto& [name, limit] : limits)
    out.push_back({.name = name, .soft = limit.soft.value_or(kUnlimited), .hard = limit.hard.value_or(kUnlimited)});
  return out;
}

}  // namespace

void require_supported(const Stack& stack) {
  std::vector<Finding> findings;
  for (const auto& [key, volume] : stack.volumes)
    if (volume.driver != "local")
      findings.push_back({.message = fmt::format("volumes.{}: the driver {} is not supported", key, volume.driver)});
  if (!findings.empty())
    throw Error(ErrorKind::unsupported, fmt::format("stack {}: some settings are not supported yet", stack.name),
                std::move(findings), "remove them from the compose file");
}

engine::ContainerSpec container_spec(const Stack& stack, const Service& service, std::uint32_t index,
                                     std::int64_t release, const std::string& hash) {
  engine::ContainerSpec spec;
  spec.name = compose::container_name(stack, service, index);
  spec.image = service.image;
  spec.entrypoint = service.entrypoint;
  spec.command = service.command;
  for (const auto& [key, value] : service.environment) spec.environment.push_back(key + "=" + value);
  spec.user = service.user.value_or("");
  spec.working_dir = service.working_dir.value_or("");
  spec.hostname = service.hostname.value_or("");
  spec.labels = service.labels;
  spec.labels[engine::kStackLabel] = stack.name;
  spec.labels[engine::kServiceLabel] = service.name;
  spec.labels[engine::kReplicaLabel] = std::to_string(index);
  spec.labels[engine::kReleaseLabel] = std::to_string(release);
  spec.labels[engine::kConfigHashLabel] = hash;
  spec.tty = service.tty;
  spec.open_stdin = service.stdin_open;
  spec.init = service.init;
  spec.read_only = service.security.read_only;
  for (const auto& mount : service.mounts) spec.mounts.push_back(translate(stack, mount));
  spec.no_network = service.network_mode == compose::NetworkMode::none;
  if (!spec.no_network) spec.networks = attachments(stack, service);
  translate_sharing(stack, service, &spec);
  spec.group_add = service.group_add;
  spec.domain_name = service.domainname.value_or("");
  spec.dns_search = service.dns_search;
  spec.dns_options = service.dns_options;
  spec.annotations = service.annotations;
  for (const auto& port : service.ports)
    spec.ports.push_back(
        {.host_ip = port.host_ip.value_or(""),
         .host_port = port.host_port.value_or(0),
         .container_port = port.container_port,
         .protocol = port.protocol == compose::Protocol::udp ? engine::Protocol::udp : engine::Protocol::tcp,
         .host_port_end = port.host_port_end.value_or(0)});
  for (const auto& host : service.extra_hosts) spec.extra_hosts.push_back(host.name + ":" + host.address);
  spec.dns = service.dns;
  spec.restart = translate(service.restart);
  if (service.healthcheck) spec.health = translate(*service.healthcheck);
  spec.stop_signal = service.stop_signal;
  spec.stop_grace = service.stop_grace_period;
  spec.resources = translate_resources(service);
  spec.ulimits = translate(service.ulimits);
  spec.sysctls = service.sysctls;
  spec.security = translate(service.security);
  if (service.logging) {
    spec.log.driver = service.logging->driver;
    spec.log.options = service.logging->options;
    if (service.logging->max_size) spec.log.max_size = *service.logging->max_size;
    if (service.logging->max_files) spec.log.max_files = static_cast<int>(*service.logging->max_files);
  }
  return spec;
}

network::NetworkSpec network_spec(const Stack& stack, const compose::Network& network) {
  network::NetworkSpec spec;
  spec.name = network.name;
  spec.labels = network.labels;
  spec.labels[engine::kStackLabel] = stack.name;
  spec.labels[engine::kConfigHashLabel] = compose::config_hash(network);
  spec.internal = network.internal;
  spec.attachable = network.attachable;
  for (const auto& pool : network.pools)
    spec.ipam.push_back({.subnet = pool.subnet,
                         .gateway = pool.gateway.value_or(""),
                         .ip_range = pool.ip_range.value_or(""),
                         .aux_addresses = {}});
  return spec;
}

std::string wanted_hash(const Stack& stack, const Service& service, const std::string& image_id) {
  std::string text = compose::config_hash(service) + image_id;
  for (const auto& [key, attachment] : service.networks) text += compose::config_hash(stack.networks.at(key));
  // Who shares something of another service is made again with it: what it shares is that one container's.
  for (const auto& share : {service.sharing.network, service.sharing.pid, service.sharing.ipc})
    if (share.mode == compose::ShareMode::service) text += compose::config_hash(stack.services.at(share.name));
  for (const auto& mount : service.mounts)
    if (mount.type == compose::MountType::volume && !mount.source.empty()) text += stack.volumes.at(mount.source).name;
  return oci::Digest::of(text).hex();
}

}  // namespace gantry::platform
