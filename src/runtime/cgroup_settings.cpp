#include <fmt/format.h>

#include <algorithm>

#include "cgroup.h"

// Limits of the OCI specification as the files of a container's groups: version 1 in the hierarchy that has the
// controller, version 2 in the one directory (Documentation/admin-guide/cgroup-v2.rst).
namespace gantry::runtime {
namespace {

namespace spec = oci::runtime;

std::string or_max(std::int64_t value) { return value < 0 ? "max" : std::to_string(value); }

// The range of shares (2 to 262144) onto that of weights (1 to 10000), as the OCI runtimes do it.
std::uint64_t weight_of(std::uint64_t shares) {
  auto inside = std::clamp<std::uint64_t>(shares, 2, 262144);
  return 1 + (inside - 2) * 9999 / 262142;
}

std::string rule_text(const spec::DeviceRule& rule) {
  auto number = [](const std::optional<std::int64_t>& value) { return value ? std::to_string(*value) : "*"; };
  if (!rule.type || *rule.type == "a") return "a";
  return fmt::format("{} {}:{} {}", *rule.type, number(rule.major), number(rule.minor), rule.access);
}

class Version1 {
 public:
  Version1(const CgroupTree& tree, const std::string& group) : tree_(tree), group_(group) {}

  void add(const std::string& controller, const std::string& file, std::string value) {
    out.push_back({tree_.directory(group_, controller) / file, std::move(value)});
  }

  std::vector<CgroupSetting> out;

 private:
  const CgroupTree& tree_;
  const std::string& group_;
};

std::vector<CgroupSetting> version1(const CgroupTree& tree, const std::string& group, const spec::Resources& wanted) {
  Version1 set(tree, group);
  for (const auto& rule : wanted.devices)
    set.add("devices", rule.allow ? "devices.allow" : "devices.deny", rule_text(rule));
  if (wanted.memory) {
    const auto& memory = *wanted.memory;
    if (memory.limit) set.add("memory", "memory.limit_in_bytes", std::to_string(*memory.limit));
    if (memory.swap) set.add("memory", "memory.memsw.limit_in_bytes", std::to_string(*memory.swap));
    if (memory.reservation) set.add("memory", "memory.soft_limit_in_bytes", std::to_string(*memory.reservation));
  }
  if (wanted.cpu) {
    const auto& cpu = *wanted.cpu;
    if (cpu.shares) set.add("cpu", "cpu.shares", std::to_string(*cpu.shares));
    if (cpu.period) set.add("cpu", "cpu.cfs_period_us", std::to_string(*cpu.period));
    if (cpu.quota) set.add("cpu", "cpu.cfs_quota_us", std::to_string(*cpu.quota));
    if (cpu.cpus) set.add("cpuset", "cpuset.cpus", *cpu.cpus);
  }
  if (wanted.pids) set.add("pids", "pids.max", or_max(wanted.pids->limit));
  return std::move(set.out);
}

std::vector<CgroupSetting> version2(const std::filesystem::path& directory, const spec::Resources& wanted) {
  std::vector<CgroupSetting> out;
  auto add = [&](const char* file, std::string value) { out.push_back({directory / file, std::move(value)}); };
  if (wanted.memory) {
    const auto& memory = *wanted.memory;
    if (memory.limit) add("memory.max", or_max(*memory.limit));
    // The specification counts memory and swap together, version 2 swap alone.
    if (memory.swap && *memory.swap < 0) add("memory.swap.max", "max");
    if (memory.swap && *memory.swap >= 0)
      add("memory.swap.max", std::to_string(std::max<std::int64_t>(*memory.swap - memory.limit.value_or(0), 0)));
    if (memory.reservation) add("memory.low", std::to_string(*memory.reservation));
  }
  if (wanted.cpu) {
    const auto& cpu = *wanted.cpu;
    if (cpu.shares) add("cpu.weight", std::to_string(weight_of(*cpu.shares)));
    if (cpu.quota) add("cpu.max", fmt::format("{} {}", or_max(*cpu.quota), cpu.period.value_or(100'000)));
    if (cpu.cpus) add("cpuset.cpus", *cpu.cpus);
  }
  if (wanted.pids) add("pids.max", or_max(wanted.pids->limit));
  return out;
}

}  // namespace

std::vector<CgroupSetting> CgroupTree::settings(const std::string& group, const spec::Resources& wanted) const {
  if (is_version2()) return version2(hierarchies_.front().directory / parent_ / group, wanted);
  return version1(*this, group, wanted);
}

}  // namespace gantry::runtime
