#include <fmt/format.h>

#include <algorithm>

#include "cgroup.h"
#include "gantry/base/files.h"
#include "gantry/base/log.h"

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

// The same for block I/O: 10 to 1000 onto 1 to 10000.
std::uint64_t io_weight_of(std::uint64_t weight) {
  auto inside = std::clamp<std::uint64_t>(weight, 10, 1000);
  return 1 + (inside - 10) * 9999 / 990;
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

  // The scheduler that knows weights decides what their file is called.
  std::string weight_file(const std::string& suffix) const {
    auto plain = "blkio.weight" + suffix;
    auto above = tree_.directory(group_, "blkio").parent_path();
    return std::filesystem::exists(above / plain) ? plain : "blkio.bfq.weight" + suffix;
  }

  std::vector<CgroupSetting> out;

 private:
  const CgroupTree& tree_;
  const std::string& group_;
};

template <class Device>
std::string with_number(const Device& device, std::uint64_t value) {
  return fmt::format("{}:{} {}", device.major, device.minor, value);
}

void add_block_io(Version1& set, const spec::BlockIo& io) {
  if (io.weight) set.add("blkio", set.weight_file(""), std::to_string(*io.weight));
  for (const auto& device : io.weightDevice)
    set.add("blkio", set.weight_file("_device"), with_number(device, device.weight));
  auto throttle = [&](const std::vector<spec::ThrottleDevice>& devices, const char* file) {
    for (const auto& device : devices) set.add("blkio", file, with_number(device, device.rate));
  };
  throttle(io.throttleReadBpsDevice, "blkio.throttle.read_bps_device");
  throttle(io.throttleWriteBpsDevice, "blkio.throttle.write_bps_device");
  throttle(io.throttleReadIOPSDevice, "blkio.throttle.read_iops_device");
  throttle(io.throttleWriteIOPSDevice, "blkio.throttle.write_iops_device");
}

std::vector<CgroupSetting> version1(const CgroupTree& tree, const std::string& group, const spec::Resources& wanted) {
  Version1 set(tree, group);
  for (const auto& rule : wanted.devices)
    set.add("devices", rule.allow ? "devices.allow" : "devices.deny", rule_text(rule));
  if (wanted.memory) {
    const auto& memory = *wanted.memory;
    if (memory.limit) set.add("memory", "memory.limit_in_bytes", std::to_string(*memory.limit));
    if (memory.swap) set.add("memory", "memory.memsw.limit_in_bytes", std::to_string(*memory.swap));
    if (memory.reservation) set.add("memory", "memory.soft_limit_in_bytes", std::to_string(*memory.reservation));
    if (memory.swappiness) set.add("memory", "memory.swappiness", std::to_string(*memory.swappiness));
    if (memory.disableOOMKiller) set.add("memory", "memory.oom_control", *memory.disableOOMKiller ? "1" : "0");
  }
  if (wanted.cpu) {
    const auto& cpu = *wanted.cpu;
    if (cpu.shares) set.add("cpu", "cpu.shares", std::to_string(*cpu.shares));
    if (cpu.period) set.add("cpu", "cpu.cfs_period_us", std::to_string(*cpu.period));
    if (cpu.quota) set.add("cpu", "cpu.cfs_quota_us", std::to_string(*cpu.quota));
    if (cpu.cpus) set.add("cpuset", "cpuset.cpus", *cpu.cpus);
    if (cpu.mems) set.add("cpuset", "cpuset.mems", *cpu.mems);
  }
  if (wanted.blockIO) add_block_io(set, *wanted.blockIO);
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
    if (cpu.quota || cpu.period)
      add("cpu.max", fmt::format("{} {}", or_max(cpu.quota.value_or(-1)), cpu.period.value_or(100'000)));
    if (cpu.cpus) add("cpuset.cpus", *cpu.cpus);
    if (cpu.mems) add("cpuset.mems", *cpu.mems);
  }
  if (wanted.blockIO) {
    const auto& io = *wanted.blockIO;
    if (io.weight) add("io.weight", fmt::format("default {}", io_weight_of(*io.weight)));
    for (const auto& device : io.weightDevice) add("io.weight", with_number(device, io_weight_of(device.weight)));
    auto most = [&](const std::vector<spec::ThrottleDevice>& devices, const char* key) {
      for (const auto& device : devices)
        add("io.max", fmt::format("{}:{} {}={}", device.major, device.minor, key, device.rate));
    };
    most(io.throttleReadBpsDevice, "rbps");
    most(io.throttleWriteBpsDevice, "wbps");
    most(io.throttleReadIOPSDevice, "riops");
    most(io.throttleWriteIOPSDevice, "wiops");
  }
  if (wanted.pids) add("pids.max", or_max(wanted.pids->limit));
  return out;
}

// Of the group above, which has the same files.
bool has_file(const CgroupTree& tree, const char* controller, const std::string& file) {
  if (tree.is_version2())
    return std::filesystem::exists(std::filesystem::path(tree.directories("x").front()).parent_path() / file);
  try {
    auto group = tree.directory("x", controller);
    return std::filesystem::exists(group.parent_path() / file);
  } catch (const Error&) {
    return false;  // there is no such controller at all
  }
}

// crun 1.8 knows the older name only.
bool knows_weights(const CgroupTree& tree, Launcher launcher) {
  if (tree.is_version2()) return has_file(tree, "io", "io.weight");
  if (has_file(tree, "blkio", "blkio.weight")) return true;
  return launcher == Launcher::native && has_file(tree, "blkio", "blkio.bfq.weight");
}

/// A partition's queue is that of its disk.
bool is_scheduled_by_bfq(std::int64_t major, std::int64_t minor) {
  auto device = fmt::format("/sys/dev/block/{}:{}/", major, minor);
  for (const char* file : {"queue/scheduler", "../queue/scheduler"})
    if (auto text = read_file_if_exists(device + file)) return text->find("[bfq]") != std::string::npos;
  return false;
}

}  // namespace

void CgroupTree::discard_impossible(const ContainerId& id, Launcher launcher, spec::Resources* wanted) const {
  auto discard = [&](auto& member, const char* what) {
    log::warn("container {}: {} is left out: this machine's control groups do not know it", short_id(id), what);
    member.reset();
  };
  if (wanted->memory) {
    auto& memory = *wanted->memory;
    bool old = !is_version2();
    if (memory.swappiness || memory.disableOOMKiller || memory.swap) make_instance();
    if (memory.swappiness && !(old && has_file(*this, "memory", "memory.swappiness")))
      discard(memory.swappiness, "memory swappiness");
    if (memory.disableOOMKiller && !(old && has_file(*this, "memory", "memory.oom_control")))
      discard(memory.disableOOMKiller, "switching off the out-of-memory killer");
    if (memory.swap && old && !has_file(*this, "memory", "memory.memsw.limit_in_bytes"))
      discard(memory.swap, "a limit of swap");
  }
  if (wanted->blockIO && (wanted->blockIO->weight || !wanted->blockIO->weightDevice.empty())) {
    make_instance();
    if (knows_weights(*this, launcher)) {
      if (is_version2() || has_file(*this, "blkio", "blkio.weight")) return;
      auto unweighted = [&](const spec::WeightDevice& device) {
        if (is_scheduled_by_bfq(device.major, device.minor)) return false;
        log::warn("container {}: the weight of the block device {}:{} is left out: its scheduler knows none",
                  short_id(id), device.major, device.minor);
        return true;
      };
      std::erase_if(wanted->blockIO->weightDevice, unweighted);
      return;
    }
    discard(wanted->blockIO->weight, "a weight of block I/O");
    wanted->blockIO->weightDevice.clear();
  }
}

std::vector<CgroupSetting> CgroupTree::settings(const std::string& group, const spec::Resources& wanted) const {
  if (is_version2()) return version2(hierarchies_.front().directory / parent_ / group, wanted);
  return version1(*this, group, wanted);
}

}  // namespace gantry::runtime
