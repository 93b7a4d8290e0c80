#include <sys/stat.h>

#include <sstream>
#include <thread>

#include "cgroup.h"
#include "gantry/base/files.h"

// A container's processes stop where they are: by the freezer controller (version 1,
// Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst) or by cgroup.freeze (version 2, Linux 5.2).
namespace gantry::runtime {
namespace {

namespace fs = std::filesystem;

constexpr auto kFreezeLimit = std::chrono::seconds(10);
constexpr auto kPause = std::chrono::milliseconds(1);

bool says(const fs::path& file, const std::string& wanted) {
  auto text = read_file_if_exists(file);
  return text && text->find(wanted) != std::string::npos;
}

}  // namespace

CgroupTree::Freezer CgroupTree::freezer(const std::string& group) const {
  Freezer out;
  if (version2_) {
    auto own = hierarchies_.front().directory / parent_ / group;
    return {own / "cgroup.freeze", "1", "0", own / "cgroup.events", "frozen 1"};
  }
  auto own = directory(group, "freezer");
  return {own / "freezer.state", "FROZEN", "THAWED", own / "freezer.state", "FROZEN"};
}

void CgroupTree::freeze(const ContainerId& id) const {
  auto files = freezer(group_of(id));
  auto deadline = std::chrono::steady_clock::now() + kFreezeLimit;
  do {
    // Said again each time: version 1 may stay half way when a process was just being born.
    write_file(files.control, files.frozen);
    if (says(files.state, files.is_frozen)) return;
    std::this_thread::sleep_for(kPause);
  } while (std::chrono::steady_clock::now() < deadline);
  thaw(id);
  throw Error(ErrorKind::timeout, "pause container " + short_id(id) + ": its processes do not come to a halt",
              "a process in uninterruptible sleep holds it: see ps -eo pid,stat,wchan,cmd");
}

// Written only where it changes something, so that a kernel without a freezer is no obstacle to what never froze.
void CgroupTree::thaw(const ContainerId& id) const {
  if (!version2_ && !has_controller("freezer")) return;
  auto files = freezer(group_of(id));
  auto now = read_file_if_exists(files.control);
  if (!now || now->starts_with(files.thawed)) return;
  write_file(files.control, files.thawed);
}

}  // namespace gantry::runtime
