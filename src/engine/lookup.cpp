#include <algorithm>
#include <set>

#include "impl.h"
#include "logging/log_driver.h"

namespace gantry::engine {
namespace {

bool matches_name(const ContainerInfo& info, const std::vector<std::string>& names) {
  if (names.empty()) return true;
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return !name.empty() && (info.spec.name == name || info.id.str().starts_with(name));
  });
}

bool matches_labels(const ContainerInfo& info, const std::map<std::string, std::string>& labels) {
  return std::all_of(labels.begin(), labels.end(), [&](const auto& wanted) {
    auto have = info.spec.labels.find(wanted.first);
    return have != info.spec.labels.end() && (wanted.second.empty() || have->second == wanted.second);
  });
}

bool matches(const Record& record, const ContainerFilter& filter) {
  const auto& info = record.info;
  if (record.internals.hidden && !filter.build_steps) return false;
  if (!filter.all && !is_active(info.state) && info.state != State::restarting) return false;
  if (filter.state && *filter.state != info.state) return false;
  return matches_name(info, filter.names) && matches_labels(info, filter.labels);
}

}  // namespace

ContainerPtr Engine::Impl::find(const ContainerId& id) const {
  auto found = containers.find(id);
  if (found == containers.end())
    throw Error(ErrorKind::not_found, "container " + short_id(id) + " does not exist", "'gantry ps -a' lists them all");
  return found->second;
}

void Engine::Impl::require_kept(const Container& container) {
  if (container.gone || container.state() == State::removing)
    throw Error(ErrorKind::conflict, "container " + container.name() + " is being removed");
}

ContainerPtr Engine::Impl::find_by_reference(std::string_view reference) const {
  if (auto exact = containers.find(ContainerId(std::string(reference))); exact != containers.end())
    return exact->second;
  std::vector<ContainerPtr> by_name, by_prefix;
  for (const auto& [id, container] : containers) {
    if (container->name() == reference) by_name.push_back(container);
    if (!reference.empty() && id.str().starts_with(reference)) by_prefix.push_back(container);
  }
  const auto& found = by_name.empty() ? by_prefix : by_name;
  if (found.size() == 1) return found[0];
  std::string name(reference);
  if (found.empty())
    throw Error(ErrorKind::not_found, "container " + name + " does not exist", "'gantry ps -a' lists them all");
  throw Error(ErrorKind::conflict, "container " + name + " could be any of " + std::to_string(found.size()),
              "give more digits of the id");
}

std::vector<const ContainerInfo*> Engine::Impl::list(const ContainerFilter& filter) const {
  std::vector<const ContainerInfo*> out;
  for (const auto& [id, container] : containers)
    if (matches(container->record, filter)) out.push_back(&container->record.info);
  std::sort(out.begin(), out.end(), [](const auto* a, const auto* b) { return a->created > b->created; });
  return out;
}

std::vector<std::string> Engine::Impl::layers_in_use(bool running) const {
  std::set<std::string> out;
  for (const auto& [id, container] : containers) {
    const auto& record = container->record;
    // Also one that is about to start, or whose end is not recorded yet.
    bool mounted = record.info.state != State::created && record.info.state != State::exited;
    if (!running || mounted) out.insert(record.internals.layers.begin(), record.internals.layers.end());
  }
  return {out.begin(), out.end()};
}

bool Engine::Impl::name_taken(const std::string& project, const std::string& name) const {
  return std::any_of(containers.begin(), containers.end(), [&](const auto& entry) {
    const auto& spec = entry.second->record.info.spec;
    return spec.project == project && spec.name == name;
  });
}

ContainerDetails Engine::Impl::details(const Container& container) const {
  const auto& resolved = container.record.internals.resolved;
  auto paths = paths_of(container.id());
  ContainerDetails out;
  out.argv = resolved.argv;
  out.entrypoint = resolved.entrypoint;
  out.command = resolved.command;
  out.environment = resolved.environment;
  out.user = resolved.user;
  out.working_dir = resolved.working_dir;
  out.hostname = hostname_of(container.record.info);
  out.health = resolved.health;
  out.mounts = resolved.mounts;
  out.exposed_ports = resolved.exposed_ports;
  out.hosts_path = (paths.root / "hosts").string();
  out.hostname_path = (paths.root / "hostname").string();
  out.resolv_conf_path = (paths.root / "resolv.conf").string();
  out.log_path = (paths.state() / "log").string();
  out.upper_path = upper_of(container.record, paths).string();
  out.execs = execs.running_in(container.id());
  out.log_details = engine::log_details(container.record.info, resolved.environment);
  return out;
}

}  // namespace gantry::engine
