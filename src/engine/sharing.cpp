#include "sharing.h"

#include <algorithm>
#include <initializer_list>

#include "gantry/base/error.h"
#include "gantry/base/json.h"

namespace gantry::engine {
namespace {

using Mode = NamespaceMode;

struct Kind {
  const char* name;
  std::optional<Namespace> Namespaces::*member;
  std::initializer_list<Mode> modes;
};

const Kind kKinds[] = {
    {"network", &Namespaces::network, {Mode::private_, Mode::host, Mode::container}},
    {"pid", &Namespaces::pid, {Mode::private_, Mode::host, Mode::container}},
    {"ipc", &Namespaces::ipc, {Mode::private_, Mode::shareable, Mode::none, Mode::host, Mode::container}},
    {"uts", &Namespaces::uts, {Mode::private_, Mode::host}},
    {"cgroup", &Namespaces::cgroup, {Mode::private_, Mode::host}},
};

[[noreturn]] void refuse(const std::string& message, const std::string& fix) {
  throw Error(ErrorKind::invalid, message, fix);
}

void require_mode(const Kind& kind, const Namespace& wanted) {
  if (std::find(kind.modes.begin(), kind.modes.end(), wanted.mode) == kind.modes.end())
    refuse(std::string(kind.name) + " namespace '" + json::name_of(wanted.mode) + "' does not exist",
           "leave it out for one of the container's own, or use host");
  bool names = !wanted.container.empty();
  if (names != (wanted.mode == Mode::container))
    refuse(std::string(kind.name) + " namespace: " + (names ? "a container is named that is not joined" : "whose?"),
           "write it as container:NAME, with the name or id of a container");
}

void require_no_own_network_settings(const ContainerSpec& spec) {
  bool joins = mode_of(spec.namespaces.network) == Mode::container;
  std::string whose = joins ? "another container's network" : "the host's network";
  auto refuse_member = [&](bool set, const char* what) {
    if (set) refuse(std::string(what) + " cannot be had in " + whose, "leave it out, or give the container a network");
  };
  refuse_member(!spec.networks.empty() || spec.no_network, "a network of its own");
  refuse_member(!spec.ports.empty() || spec.publish_all, "a published port");
  refuse_member(!spec.links.empty(), "a link");
  if (!joins) return;
  refuse_member(!spec.hostname.empty() || !spec.domain_name.empty(), "a host name of its own");
  refuse_member(!spec.extra_hosts.empty(), "an extra host");
  refuse_member(!spec.dns.empty() || !spec.dns_search.empty() || !spec.dns_options.empty(), "name servers of its own");
}

}  // namespace

Mode mode_of(const std::optional<Namespace>& wanted) { return wanted ? wanted->mode : Mode::private_; }

bool has_own_network(const ContainerSpec& spec) { return mode_of(spec.namespaces.network) == Mode::private_; }

bool has_ordinary_isolation(const ContainerSpec& spec) {
  const auto& security = spec.security;
  for (const auto& kind : kKinds)
    if (auto mode = mode_of(spec.namespaces.*kind.member); mode == Mode::host || mode == Mode::container) return false;
  return !security.unmask_paths && !security.masked_paths && !security.readonly_paths && spec.devices.empty() &&
         spec.device_rules.empty() && spec.cdi_devices.empty() && security.apparmor.empty();
}

bool needs_host_users(const ContainerSpec& spec) {
  if (spec.security.privileged || spec.security.user_namespace == UserNamespace::host) return true;
  // What is mounted in a user namespace of its own never reaches the host.
  bool shared = std::any_of(spec.mounts.begin(), spec.mounts.end(), [](const Mount& mount) {
    return mount.propagation == Propagation::shared || mount.propagation == Propagation::rshared;
  });
  return shared || std::any_of(std::begin(kKinds), std::end(kKinds),
                               [&](const Kind& kind) { return mode_of(spec.namespaces.*kind.member) == Mode::host; });
}

std::vector<std::string> joined_containers(const Namespaces& wanted) {
  std::vector<std::string> out;
  for (const auto& kind : kKinds) {
    const auto& choice = wanted.*kind.member;
    if (mode_of(choice) != Mode::container) continue;
    if (std::find(out.begin(), out.end(), choice->container) == out.end()) out.push_back(choice->container);
  }
  return out;
}

void rename_joined(Namespaces* wanted, const std::function<std::string(const std::string&)>& identify) {
  for (const auto& kind : kKinds)
    if (auto& choice = wanted->*kind.member; mode_of(choice) == Mode::container)
      choice->container = identify(choice->container);
}

runtime::NamespaceChoices choose_namespaces(const Namespaces& wanted, bool shares_users,
                                            const std::function<pid_t(const std::string&)>& pid_of) {
  using Whose = runtime::NamespaceChoice::Whose;
  auto choose = [&](const std::optional<Namespace>& choice) -> runtime::NamespaceChoice {
    if (mode_of(choice) == Mode::host) return {.whose = Whose::host};
    if (mode_of(choice) == Mode::container) return {.whose = Whose::joined, .pid = pid_of(choice->container)};
    return {};
  };
  runtime::NamespaceChoices out;
  out.network = choose(wanted.network);
  out.pid = choose(wanted.pid);
  out.ipc = choose(wanted.ipc);
  out.uts = choose(wanted.uts);
  out.cgroup = choose(wanted.cgroup);
  auto joined = joined_containers(wanted);
  if (shares_users && !joined.empty()) out.user = {.whose = Whose::joined, .pid = pid_of(joined.front())};
  return out;
}

void require_valid_namespaces(const ContainerSpec& spec) {
  for (const auto& kind : kKinds)
    if (const auto& wanted = spec.namespaces.*kind.member) require_mode(kind, *wanted);
  if (!has_own_network(spec)) require_no_own_network_settings(spec);
  if (mode_of(spec.namespaces.uts) == Mode::host && (!spec.hostname.empty() || !spec.domain_name.empty()))
    refuse("a host name of its own cannot be had in the host's uts namespace", "leave one of them out");
}

}  // namespace gantry::engine
