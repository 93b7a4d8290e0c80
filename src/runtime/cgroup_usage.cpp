#include <unistd.h>

#include <optional>
#include <sstream>

#include "cgroup.h"
#include "gantry/base/files.h"
#include "usage.h"

// What a container has used, by version 1 (Documentation/admin-guide/cgroup-v1/) and version 2 (cgroup-v2.rst). Each
// file is asked for where it may be, and what is not there is not counted.
namespace gantry::runtime {
namespace {

namespace fs = std::filesystem;
using Fields = std::map<std::string, std::uint64_t>;

constexpr std::uint64_t kMicro = 1000;

std::optional<std::string> text_of(const fs::path& path) {
  try {
    return read_file_if_exists(path);
  } catch (const Error&) {
    return std::nullopt;  // the group went while it was read (ENODEV)
  }
}

// "max" reads as 0, which says the same.
std::optional<std::uint64_t> number_of(const fs::path& path) {
  auto text = text_of(path);
  if (!text) return std::nullopt;
  return std::strtoull(text->c_str(), nullptr, 10);
}

Fields fields_of(const fs::path& path) {
  Fields out;
  std::istringstream text(text_of(path).value_or(""));
  std::string name;
  for (std::uint64_t value; text >> name >> value;) out[name] = value;
  return out;
}

std::uint64_t field(const Fields& fields, const std::string& name) {
  auto found = fields.find(name);
  return found == fields.end() ? 0 : found->second;
}

std::uint64_t less(std::uint64_t from, std::uint64_t what) { return from > what ? from - what : 0; }

void add_memory(const fs::path& group, const char* total, const char* limit, const char* most, const char* inactive,
                Usage& usage) {
  auto now = number_of(group / total);
  if (!now) return;
  constexpr std::uint64_t kUnlimited = 1ull << 62;
  usage.memory_total = *now;
  usage.memory_details = fields_of(group / "memory.stat");
  usage.memory = less(*now, field(usage.memory_details, inactive));
  auto most_allowed = number_of(group / limit).value_or(0);
  usage.memory_limit = most_allowed < kUnlimited ? most_allowed : 0;
  usage.memory_most = number_of(group / most).value_or(0);
}

void add_cpu_time1(const fs::path& group, Usage& usage) {
  auto total = number_of(group / "cpuacct.usage");
  if (!total) return;
  usage.cpu_nanos = *total;
  std::istringstream each(text_of(group / "cpuacct.usage_percpu").value_or(""));
  for (std::uint64_t nanos; each >> nanos;) usage.cpu_each_nanos.push_back(nanos);
  auto shares = fields_of(group / "cpuacct.stat");
  auto tick = 1'000'000'000ull / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  usage.cpu_user_nanos = field(shares, "user") * tick;
  usage.cpu_kernel_nanos = field(shares, "system") * tick;
}

void add_throttling(const Fields& cpu, Usage& usage, const char* time, std::uint64_t unit) {
  usage.cpu_periods = field(cpu, "nr_periods");
  usage.cpu_throttled_periods = field(cpu, "nr_throttled");
  usage.cpu_throttled_nanos = field(cpu, time) * unit;
}

// "8:0 Read 4096"; lines of other operations are parts or sums of these.
std::vector<DeviceCount> operations1(const fs::path& path) {
  std::vector<DeviceCount> out;
  std::istringstream lines(text_of(path).value_or(""));
  for (std::string line; std::getline(lines, line);) {
    DeviceCount count;
    char colon = 0;
    std::string operation;
    std::istringstream words(line);
    if (!(words >> count.major >> colon >> count.minor >> operation >> count.value)) continue;
    if (operation == "Read") count.operation = "read";
    if (operation == "Write") count.operation = "write";
    if (!count.operation.empty()) out.push_back(std::move(count));
  }
  return out;
}

// "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 ..."
void add_io2(const fs::path& group, Usage& usage) {
  std::istringstream lines(text_of(group / "io.stat").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    DeviceCount count;
    char colon = 0;
    if (!(words >> count.major >> colon >> count.minor)) continue;
    for (std::string word; words >> word;) {
      auto equals = word.find('=');
      if (equals == std::string::npos) continue;
      auto name = word.substr(0, equals);
      count.value = std::strtoull(word.c_str() + equals + 1, nullptr, 10);
      count.operation = name.starts_with('r') ? "read" : "write";
      if (name == "rbytes" || name == "wbytes") usage.io_bytes.push_back(count);
      if (name == "rios" || name == "wios") usage.io_operations.push_back(count);
    }
  }
}

void add_version1(const fs::path& group, Usage& usage) {
  add_memory(group, "memory.usage_in_bytes", "memory.limit_in_bytes", "memory.max_usage_in_bytes",
             "total_inactive_file", usage);
  if (auto failures = number_of(group / "memory.failcnt")) usage.memory_failures = *failures;
  add_cpu_time1(group, usage);
  if (auto cpu = fields_of(group / "cpu.stat"); !cpu.empty()) add_throttling(cpu, usage, "throttled_time", 1);
  if (auto io = operations1(group / "blkio.throttle.io_service_bytes_recursive"); !io.empty()) usage.io_bytes = io;
  if (auto io = operations1(group / "blkio.throttle.io_serviced_recursive"); !io.empty()) usage.io_operations = io;
}

void add_version2(const fs::path& group, Usage& usage) {
  add_memory(group, "memory.current", "memory.max", "memory.peak", "inactive_file", usage);
  usage.memory_failures = field(fields_of(group / "memory.events"), "max");
  auto cpu = fields_of(group / "cpu.stat");
  usage.cpu_nanos = field(cpu, "usage_usec") * kMicro;
  usage.cpu_user_nanos = field(cpu, "user_usec") * kMicro;
  usage.cpu_kernel_nanos = field(cpu, "system_usec") * kMicro;
  add_throttling(cpu, usage, "throttled_usec", kMicro);
  add_io2(group, usage);
}

}  // namespace

Usage CgroupTree::usage(const ContainerId& id) const {
  Usage usage;
  for (const auto& directory : directories(group_of(id))) {
    version2_ ? add_version2(directory, usage) : add_version1(directory, usage);
    if (auto pids = number_of(fs::path(directory) / "pids.current")) {
      usage.pids = *pids;
      usage.pids_limit = number_of(fs::path(directory) / "pids.max").value_or(0);
    }
  }
  auto host = host_cpu();
  usage.host_cpu_nanos = host.nanos;
  usage.processors = host.processors;
  usage.time = now();
  return usage;
}

// Some limits may not pass each other on the way (memory and memory with swap, quota and period): what is refused is
// tried again after the others. An Error says what the kernel refuses in the end.
void CgroupTree::update(const ContainerId& id, oci::runtime::Resources wanted) const {
  wanted.devices.clear();
  auto left = settings(group_of(id), wanted);
  for (bool progress = true; !left.empty();) {
    std::vector<CgroupSetting> refused;
    std::string reason;
    for (auto& setting : left) {
      try {
        write_file(setting.file, setting.value);
      } catch (const Error& error) {
        reason = error.message();
        refused.push_back(std::move(setting));
      }
    }
    progress = refused.size() < left.size();
    left = std::move(refused);
    if (!progress)
      throw Error(ErrorKind::invalid, "the kernel refuses the limit " + left.front().value + ": " + reason,
                  "choose one that what is in use, the other limits and the groups above allow");
  }
}

}  // namespace gantry::runtime
