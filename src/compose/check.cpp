#include "check.h"

#include <fmt/format.h>

#include <algorithm>

#include "check_service.h"
#include "gantry/base/ids.h"
#include "gantry/compose/compose.h"
#include "graph.h"
#include "text.h"

namespace gantry::compose {

namespace {

void check_names(const Stack& stack, std::vector<Problem>& out) {
  if (!is_valid_stack_name(stack.name))
    out.push_back({"name", fmt::format("'{}' is not a stack's name: lower-case letters, digits, '-' and '_', beginning "
                                       "with a letter or digit, 63 at most",
                                       stack.name)});
  auto name = [&](std::string path, const std::string& text) {
    if (!is_valid_name(text))
      out.push_back({std::move(path),
                     fmt::format("'{}' is not a valid name: letters, digits, '.', '_' and '-', beginning with a letter "
                                 "or digit, 128 at most",
                                 text)});
  };
  auto resources = [&](std::string_view section, const auto& map) {
    for (const auto& [key, resource] : map) {
      name(fmt::format("{}.{}", section, key), key);
      // A derived name is wrong only when its key is, which has been said.
      if (!resource.name.ends_with("_" + key)) name(fmt::format("{}.{}.name", section, key), resource.name);
    }
  };
  for (const auto& [key, service] : stack.services) name("services." + key, key);
  resources("networks", stack.networks);
  resources("volumes", stack.volumes);
}

void check_cycles(const Stack& stack, std::vector<Problem>& out) {
  auto cycle = find_cycle(stack.services);
  if (cycle.empty()) return;
  out.push_back({fmt::format("services.{}.depends_on.{}", cycle[0], cycle[1]),
                 fmt::format("services depend on each other in a circle: {}", fmt::join(cycle, " -> "))});
}

template <class Map>
std::vector<std::string> keys_of(const Map& map) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : map) keys.push_back(key);
  return keys;
}

void check_references(const Stack& stack, const Service& service, std::vector<Problem>& out) {
  auto path = "services." + service.name;
  for (const auto& [target, dependency] : service.depends_on) {
    if (!stack.services.contains(target))
      out.push_back({fmt::format("{}.depends_on.{}", path, target),
                     fmt::format("there is no service '{}'{}", target, did_you_mean(target, keys_of(stack.services)))});
  }
  auto in_stack = [&](const char* key, const std::string& name) {
    if (!stack.services.contains(name))
      out.push_back({fmt::format("{}.{}", path, key),
                     fmt::format("there is no service '{}'{}", name, did_you_mean(name, keys_of(stack.services)))});
  };
  const auto& sharing = service.sharing;
  for (const auto* share : {&sharing.network, &sharing.pid, &sharing.ipc, &sharing.uts, &sharing.cgroup})
    if (share->mode == ShareMode::service) in_stack("sharing", share->name);
  for (const auto& link : service.links)
    if (link.in_stack) in_stack("links", link.name);
  for (const auto& from : service.volumes_from)
    if (from.in_stack) in_stack("volumes_from", from.name);
  for (const auto& [network, attachment] : service.networks) {
    if (!stack.networks.contains(network))
      out.push_back({fmt::format("{}.networks.{}", path, network),
                     fmt::format("the network '{}' is not declared under the top-level 'networks'{}", network,
                                 did_you_mean(network, keys_of(stack.networks)))});
  }
  for (std::size_t i = 0; i < service.mounts.size(); ++i) {
    const auto& mount = service.mounts[i];
    if (mount.type == MountType::volume && !mount.source.empty() && !stack.volumes.contains(mount.source))
      out.push_back({fmt::format("{}.mounts[{}]", path, i),
                     fmt::format("the volume '{}' is not declared under the top-level 'volumes'{}", mount.source,
                                 did_you_mean(mount.source, keys_of(stack.volumes)))});
  }
}

/// Two services cannot listen on the same port of the host.
void check_published_ports(const Stack& stack, std::vector<Problem>& out) {
  struct Use {
    std::string host_ip;
    std::string service;
  };
  auto is_any = [](const std::string& ip) { return ip.empty() || ip == "0.0.0.0" || ip == "::"; };
  std::map<std::pair<std::uint16_t, Protocol>, std::vector<Use>> uses;
  for (const auto& [name, service] : stack.services) {
    for (std::size_t i = 0; i < service.ports.size(); ++i) {
      const auto& port = service.ports[i];
      if (!port.host_port || port.host_port_end) continue;
      auto ip = port.host_ip.value_or("");
      auto& known = uses[{*port.host_port, port.protocol}];
      auto other = std::ranges::find_if(
          known, [&](const Use& use) { return use.host_ip == ip || is_any(use.host_ip) || is_any(ip); });
      if (other != known.end())
        out.push_back(
            {fmt::format("services.{}.ports[{}]", name, i),
             fmt::format("the host's port {} is already published by service '{}'", *port.host_port, other->service)});
      known.push_back({ip, name});
    }
  }
}

void check_container_names(const Stack& stack, std::vector<Problem>& out) {
  std::map<std::string, std::string> owners;
  for (const auto& [name, service] : stack.services) {
    if (!service.container_name) continue;
    auto path = fmt::format("services.{}.container_name", name);
    if (!is_valid_name(*service.container_name))
      out.push_back({path, fmt::format("'{}' is not a valid name", *service.container_name)});
    if (service.replicas > 1)
      out.push_back({path, "a service with more than one replica cannot have a container name"});
    if (auto [owner, fresh] = owners.emplace(*service.container_name, name); !fresh)
      out.push_back({path, fmt::format("'{}' is already the container name of service '{}'", *service.container_name,
                                       owner->second)});
  }
}

void check_pools(const Stack& stack, std::vector<Problem>& out) {
  for (const auto& [name, network] : stack.networks) {
    for (std::size_t i = 0; i < network.pools.size(); ++i) {
      const auto& pool = network.pools[i];
      auto path = fmt::format("networks.{}.pools[{}]", name, i);
      if (!is_subnet(pool.subnet))
        out.push_back({path, fmt::format("'{}' is not a subnet such as 10.1.0.0/16", pool.subnet)});
      if (pool.gateway && !is_address(*pool.gateway))
        out.push_back({path, fmt::format("'{}' is not an IP address", *pool.gateway)});
      if (pool.ip_range && !is_subnet(*pool.ip_range))
        out.push_back({path, fmt::format("'{}' is not a subnet such as 10.1.5.0/24", *pool.ip_range)});
    }
  }
}

}  // namespace

bool is_valid_stack_name(std::string_view name) {
  auto is_first = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 63 && is_first(name[0]) &&
         std::ranges::all_of(name, [&](char c) { return is_first(c) || c == '-' || c == '_'; });
}

std::vector<Problem> check(const Stack& stack) {
  std::vector<Problem> out;
  check_names(stack, out);
  for (const auto& [name, service] : stack.services) {
    if (service.name != name) out.push_back({fmt::format("services.{}.name", name), "differs from the service's key"});
    check_references(stack, service, out);
    check_service(service, "services." + name, out);
  }
  check_cycles(stack, out);
  check_published_ports(stack, out);
  check_container_names(stack, out);
  check_pools(stack, out);
  if (!stack.working_directory.is_absolute()) out.push_back({"working_directory", "is not an absolute path"});
  return out;
}

void validate(const Stack& stack) {
  auto problems = check(stack);
  if (problems.empty()) return;
  std::vector<Finding> findings;
  for (auto& problem : problems) findings.push_back({{}, fmt::format("{}: {}", problem.path, problem.message)});
  auto summary = fmt::format("the stack '{}' is not valid: {}", stack.name, findings[0].message);
  throw Error(ErrorKind::invalid, std::move(summary), std::move(findings));
}

}  // namespace gantry::compose
