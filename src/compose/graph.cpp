#include "graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "gantry/compose/compose.h"
#include "text.h"

namespace gantry::compose {

namespace {

enum class Mark { unseen, open, done };

/// Depth first; `trail` are the services whose dependencies are being looked at. Dependencies may be as deep as there
/// are services, so the search keeps its own stack.
class CycleSearch {
 public:
  explicit CycleSearch(const std::map<std::string, Service>& services) : services_(services) {}

  std::vector<std::string> run() {
    for (const auto& [name, service] : services_) {
      if (auto cycle = from(name); !cycle.empty()) return cycle;
    }
    return {};
  }

 private:
  struct Step {
    std::string name;
    std::map<std::string, Dependency>::const_iterator next;
  };

  void enter(const std::string& name) {
    marks_[name] = Mark::open;
    trail_.push_back({name, services_.at(name).depends_on.begin()});
  }

  std::vector<std::string> from(const std::string& start) {
    if (marks_[start] != Mark::unseen) return {};
    for (enter(start); !trail_.empty();) {
      auto& step = trail_.back();
      if (step.next == services_.at(step.name).depends_on.end()) {
        marks_[step.name] = Mark::done;
        trail_.pop_back();
        continue;
      }
      auto target = (step.next++)->first;
      if (!services_.contains(target)) continue;
      if (marks_[target] == Mark::open) return cycle_to(target);
      if (marks_[target] == Mark::unseen) enter(target);
    }
    return {};
  }

  std::vector<std::string> cycle_to(const std::string& target) const {
    std::vector<std::string> cycle;
    auto first = std::ranges::find(trail_, target, &Step::name);
    for (auto at = first; at != trail_.end(); ++at) cycle.push_back(at->name);
    cycle.push_back(target);
    return cycle;
  }

  const std::map<std::string, Service>& services_;
  std::map<std::string, Mark> marks_;
  std::vector<Step> trail_;
};

std::vector<std::string> names_of(const Stack& stack) {
  std::vector<std::string> names;
  for (const auto& [name, service] : stack.services) names.push_back(name);
  return names;
}

void add_dependencies(const Stack& stack, std::set<std::string>& wanted) {
  std::vector<std::string> open(wanted.begin(), wanted.end());
  while (!open.empty()) {
    auto name = std::move(open.back());
    open.pop_back();
    for (const auto& [target, dependency] : stack.services.at(name).depends_on) {
      if (stack.services.contains(target) && wanted.insert(target).second) open.push_back(target);
    }
  }
}

}  // namespace

std::vector<std::string> find_cycle(const std::map<std::string, Service>& services) {
  return CycleSearch(services).run();
}

std::vector<std::vector<std::string>> start_levels(const Stack& stack) {
  if (auto cycle = find_cycle(stack.services); !cycle.empty())
    throw Error(ErrorKind::invalid,
                fmt::format("services depend on each other in a circle: {}", fmt::join(cycle, " -> ")));
  std::map<std::string, std::size_t> missing;
  std::map<std::string, std::vector<std::string>> needed_by;
  std::vector<std::string> level;
  for (const auto& [name, service] : stack.services) {
    auto& count = missing[name];
    for (const auto& [target, dependency] : service.depends_on) {
      if (!stack.services.contains(target)) continue;
      ++count;
      needed_by[target].push_back(name);
    }
    if (count == 0) level.push_back(name);
  }
  std::vector<std::vector<std::string>> levels;
  while (!level.empty()) {
    std::vector<std::string> next;
    for (const auto& name : level) {
      for (const auto& waiting : needed_by[name]) {
        if (--missing[waiting] == 0) next.push_back(waiting);
      }
    }
    std::ranges::sort(next);
    levels.push_back(std::exchange(level, std::move(next)));
  }
  return levels;
}

Stack select(const Stack& stack, const std::vector<std::string>& services, bool with_dependencies) {
  std::set<std::string> wanted(services.begin(), services.end());
  for (const auto& name : wanted) {
    if (!stack.services.contains(name))
      throw Error(ErrorKind::not_found,
                  fmt::format("stack {} has no service '{}'{}", stack.name, name, did_you_mean(name, names_of(stack))));
  }
  if (with_dependencies) add_dependencies(stack, wanted);
  Stack part{.name = stack.name, .working_directory = stack.working_directory};
  for (const auto& name : wanted) {
    auto service = stack.services.at(name);
    std::erase_if(service.depends_on, [&](const auto& item) { return !wanted.contains(item.first); });
    for (const auto& [key, attachment] : service.networks) part.networks.emplace(key, stack.networks.at(key));
    for (const auto& mount : service.mounts) {
      if (mount.type == MountType::volume && !mount.source.empty())
        part.volumes.emplace(mount.source, stack.volumes.at(mount.source));
    }
    part.services.emplace(name, std::move(service));
  }
  return part;
}

std::string container_name(const Stack& stack, const Service& service, std::uint32_t index) {
  return service.container_name.value_or(fmt::format("{}-{}-{}", stack.name, service.name, index));
}

}  // namespace gantry::compose
