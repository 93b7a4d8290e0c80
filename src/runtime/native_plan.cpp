#include "native_plan.h"

#include <fmt/format.h>
#include <sys/mount.h>

#include <algorithm>
#include <map>

#include "capabilities.h"
#include "spec.h"

namespace gantry::runtime {
namespace {

namespace spec = oci::runtime;

struct MountOption {
  std::string_view name;
  std::uint64_t attribute;
};

// Those of the specification that are attributes of a mount, not of its file system.
constexpr MountOption kAttributes[] = {
    {"ro", MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC},
    {"noatime", MOUNT_ATTR_NOATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME},
    {"nodiratime", MOUNT_ATTR_NODIRATIME},
    {"rw", 0},
    {"relatime", 0},
    {"rro", MOUNT_ATTR_RDONLY},
    {"bind", 0},
    {"rbind", 0},
    {"rprivate", 0},
    {"private", 0},
    {"rshared", 0},
    {"shared", 0},
    {"rslave", 0},
    {"slave", 0},
};

struct Options {
  std::uint64_t attributes = 0;
  std::string rest;  ///< the file system's own
};

Options split_options(const std::vector<std::string>& options) {
  Options out;
  for (const auto& option : options) {
    auto known = std::ranges::find(kAttributes, option, &MountOption::name);
    if (known != std::end(kAttributes)) {
      out.attributes |= known->attribute;
    } else {
      out.rest += (out.rest.empty() ? "" : ",") + option;
    }
  }
  return out;
}

void add_cgroup_mounts(Words& words, const spec::Mount& mount, const CgroupTree& cgroups) {
  auto attributes = split_options(mount.options).attributes;
  if (cgroups.is_version2()) {
    words.add("mount", "cgroup2", mount.destination, attributes, "source=cgroup2");
    return;
  }
  words.add("mount", "tmpfs", mount.destination, attributes & ~std::uint64_t{MOUNT_ATTR_RDONLY},
            "source=cgroup,size=1024k");
  for (const auto& hierarchy : cgroups.hierarchies()) {
    auto target = mount.destination + "/" + hierarchy.directory.filename().string();
    words.add("mount", "cgroup", target, attributes, "source=" + target + "," + hierarchy.options);
  }
}

// The system's mounts come first in the specification (spec.cpp); the one that has a size of the container's own is not
// among those every container has.
bool is_common(const spec::Spec& whole, std::size_t place) {
  return place < whole.system_mounts && whole.mounts[place].destination != "/dev/shm";
}

// What is not the container's own: one to join by its path, the host's without one.
void add_namespaces(Words& words, const spec::Linux& wanted) {
  for (const char* type : {"user", "pid", "network", "ipc", "uts", "cgroup"}) {
    auto found = std::ranges::find(wanted.namespaces, type, &spec::Namespace::type);
    if (found != wanted.namespaces.end() && !found->path) continue;
    words.add("namespace", type, found != wanted.namespaces.end() ? *found->path : std::string());
  }
}

// How far its attributes reach, and which later mounts are seen; most are private, and nothing is said.
void add_manner(Words& words, const std::vector<std::string>& options) {
  for (const char* name : {"rro", "private", "rshared", "shared", "rslave", "slave"})
    if (std::ranges::find(options, name) != options.end()) words.add("manner", name);
}

void add_mount(Words& words, const spec::Mount& mount, const CgroupTree& cgroups) {
  auto options = split_options(mount.options);
  if (mount.type == "cgroup") {
    add_cgroup_mounts(words, mount, cgroups);
  } else if (mount.type == "bind") {
    words.add("mount", "bind", mount.destination, options.attributes,
              std::filesystem::path(mount.source).filename().string());
    add_manner(words, mount.options);
  } else {
    auto rest = "source=" + mount.source + (options.rest.empty() ? "" : "," + options.rest);
    words.add("mount", mount.type, mount.destination, options.attributes, rest);
  }
}

std::string number_or_all(const std::optional<std::int64_t>& number) {
  return number ? std::to_string(*number) : std::string("*");
}

void add_devices(Words& words, const spec::Linux& wanted) {
  words.add("default-devices");
  for (const auto& device : wanted.devices)
    words.add("device", device.path, device.type, device.major, device.minor, device.fileMode.value_or(0666));
}

void add_settings(Words& words, const std::vector<CgroupSetting>& settings) {
  for (const auto& setting : settings) words.add("cgroup-set", setting.file.string(), setting.value);
}

void add_device_rules(Words& words, const spec::Resources& resources) {
  for (const auto& rule : resources.devices)
    words.add("device-rule", rule.allow ? "+" : "-", rule.type.value_or("a"), number_or_all(rule.major),
              number_or_all(rule.minor), rule.access);
}

void add_place(Words& words, const spec::Spec& whole, const CgroupTree& cgroups, const std::string& group) {
  for (const auto& directory : cgroups.directories(group)) words.add("cgroup", directory);
  for (const auto& mapping : whole.linux_.uidMappings) words.add("map", mapping.hostID, mapping.size);
}

}  // namespace

void add_native_process(Words& words, const spec::Process& process) {
  words.add("cwd", process.cwd);
  words.add("user", process.user.uid, process.user.gid);
  for (auto group : process.user.additionalGids) words.add("group", group);
  words.add("capabilities", capability_mask(process.capabilities.bounding));
  if (process.noNewPrivileges) words.add("no-new-privileges");
  for (const auto& argument : process.args) words.add("arg", argument);
  for (const auto& variable : process.env) words.add("env", variable);
}

std::string common_words(const spec::Spec& whole, const CgroupTree& cgroups) {
  Words words;
  words.add("native");
  add_namespaces(words, whole.linux_);
  for (std::size_t i = 0; i < whole.mounts.size(); ++i)
    if (is_common(whole, i)) add_mount(words, whole.mounts[i], cgroups);
  add_devices(words, whole.linux_);
  for (const auto& path : whole.linux_.maskedPaths) words.add("mask", path);
  for (const auto& path : whole.linux_.readonlyPaths) words.add("read-only", path);
  add_device_rules(words, whole.linux_.resources);
  return words.take();
}

std::string early_plan(const spec::Spec& whole, const CgroupTree& cgroups, const std::string& group) {
  Words words;
  add_place(words, whole, cgroups, group);
  spec::Resources devices;
  if (!cgroups.is_version2()) devices.devices = whole.linux_.resources.devices;
  add_settings(words, cgroups.settings(group, devices));
  return words.take() + common_words(whole, cgroups);
}

std::string exec_limits(const spec::Spec& whole) {
  Words words;
  for (const auto& limit : whole.process.rlimits)
    words.add("rlimit", rlimit_number(limit.type), limit.soft, limit.hard);
  if (whole.process.oomScoreAdj) words.add("oom-score-adj", std::to_string(*whole.process.oomScoreAdj));
  return words.take();
}

std::string exec_base(const spec::Spec& whole, const CgroupTree& cgroups, const std::string& group,
                      const std::filesystem::path& filter) {
  Words words;
  words.add("native");
  add_place(words, whole, cgroups, group);
  if (!filter.empty()) words.add("seccomp", filter.string());
  return words.take() + exec_limits(whole);
}

void add_native(Words& words, const spec::Spec& whole, const CgroupTree& cgroups, const std::string& group,
                const std::filesystem::path& filter) {
  words.add("hostname", whole.hostname);
  if (whole.domainname) words.add("domain-name", *whole.domainname);
  if (whole.process.oomScoreAdj) words.add("oom-score-adj", std::to_string(*whole.process.oomScoreAdj));
  if (whole.root.readonly) words.add("read-only-root");
  if (!filter.empty()) words.add("seccomp", filter.string());
  for (std::size_t i = 0; i < whole.mounts.size(); ++i)
    if (!is_common(whole, i)) add_mount(words, whole.mounts[i], cgroups);
  for (const auto& [name, value] : whole.linux_.sysctl) words.add("sysctl", name, value);
  auto limits = whole.linux_.resources;
  limits.devices.clear();
  add_settings(words, cgroups.settings(group, limits));
  add_native_process(words, whole.process);
}

}  // namespace gantry::runtime
