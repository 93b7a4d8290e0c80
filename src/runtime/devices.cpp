#include "devices.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <set>

namespace gantry::runtime {
namespace {

namespace fs = std::filesystem;
using oci::runtime::Device;
using oci::runtime::DeviceRule;

DeviceRule character(std::optional<std::int64_t> major, std::optional<std::int64_t> minor, std::string access) {
  return {.allow = true, .type = "c", .major = major, .minor = minor, .access = std::move(access)};
}

void add_device(Plan* plan, const struct stat& info, const std::string& target, const std::string& access) {
  char type = S_ISCHR(info.st_mode) ? 'c' : 'b';
  PlannedMount mount;
  mount.target = target;
  mount.id_mapped = false;
  mount.node =
      DeviceNode{type, major(info.st_rdev), minor(info.st_rdev), info.st_mode & 07777, info.st_uid, info.st_gid};
  plan->mounts.push_back(std::move(mount));
  plan->device_rules.push_back({type, major(info.st_rdev), minor(info.st_rdev), access});
}

bool is_device(const struct stat& info) { return S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode); }

void add_devices_below(Plan* plan, const PlannedDevice& wanted) {
  bool any = false;
  for (const auto& entry :
       fs::recursive_directory_iterator(wanted.source, fs::directory_options::skip_permission_denied)) {
    struct stat info {};
    if (::lstat(entry.path().c_str(), &info) < 0 || !is_device(info)) continue;
    add_device(plan, info, (fs::path(wanted.target) / entry.path().lexically_relative(wanted.source)).string(),
               wanted.access);
    any = true;
  }
  if (!any)
    throw Error(ErrorKind::invalid, "no device is below " + wanted.source,
                "name a device, or a directory with devices");
}

struct stat look(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) return info;
  if (errno == ENOENT || errno == ENOTDIR)
    throw Error(ErrorKind::not_found, "device " + path + " does not exist",
                "see 'ls -l /dev' for those of this machine");
  throw_errno("look at device " + path);
}

}  // namespace

void add_devices(Plan* plan) {
  for (const auto& wanted : plan->devices) {
    auto info = look(wanted.source);
    if (S_ISDIR(info.st_mode)) {
      add_devices_below(plan, wanted);
    } else if (is_device(info)) {
      add_device(plan, info, wanted.target, wanted.access);
    } else {
      throw Error(ErrorKind::invalid, wanted.source + " is not a device", "mount files and directories with --mount");
    }
  }
}

BlockDevice find_block_device(const std::string& path) {
  auto info = look(path);
  if (!S_ISBLK(info.st_mode))
    throw Error(ErrorKind::invalid, path + " is not a block device", "see 'lsblk -p' for those of this machine");
  return {major(info.st_rdev), minor(info.st_rdev)};
}

std::vector<DeviceRule> device_rules(bool privileged) {
  if (privileged) return {{.allow = true, .access = "rwm"}};
  return {
      {.allow = false, .access = "rwm"},
      // making a node is harmless, using it is not
      {.allow = true, .type = "c", .access = "m"},
      {.allow = true, .type = "b", .access = "m"},
      character(1, 3, "rwm"),               // null
      character(1, 5, "rwm"),               // zero
      character(1, 7, "rwm"),               // full
      character(1, 8, "rwm"),               // random
      character(1, 9, "rwm"),               // urandom
      character(5, 0, "rwm"),               // tty
      character(5, 1, "rwm"),               // console
      character(5, 2, "rwm"),               // ptmx
      character(136, std::nullopt, "rwm"),  // pts
  };
}

std::vector<Device> host_devices() {
  // made by the OCI runtime itself, or file systems of their own
  static const std::set<std::string> skipped = {"pts",  "shm",    "fd",      "mqueue", "console", "null",     "zero",
                                                "full", "random", "urandom", "tty",    "ptmx",    "hugepages"};
  std::vector<Device> out;
  std::error_code failed;
  fs::recursive_directory_iterator at("/dev", failed), end;
  for (; !failed && at != end; at.increment(failed)) {
    if (at.depth() == 0 && skipped.contains(at->path().filename().string())) {
      at.disable_recursion_pending();
      continue;
    }
    struct stat info {};
    if (::lstat(at->path().c_str(), &info) < 0 || (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode))) continue;
    out.push_back({.type = S_ISCHR(info.st_mode) ? "c" : "b",
                   .path = at->path().string(),
                   .major = static_cast<std::int64_t>(major(info.st_rdev)),
                   .minor = static_cast<std::int64_t>(minor(info.st_rdev)),
                   .fileMode = info.st_mode & 07777});
  }
  return out;
}

}  // namespace gantry::runtime
