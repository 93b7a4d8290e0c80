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

}  // namespace

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
