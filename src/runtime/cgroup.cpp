#include "cgroup.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "gantry/base/files.h"
#include "gantry/base/log.h"

namespace gantry::runtime {
namespace {

namespace fs = std::filesystem;

constexpr auto kKillLimit = std::chrono::seconds(20);
constexpr char kSharedPrefix[] = "shared-";
constexpr auto kPause = std::chrono::milliseconds(2);

std::vector<pid_t> members(const fs::path& directory) {
  std::vector<pid_t> out;
  // A group may go while it is read (ENODEV): then it has no members, which is what the end of the stream says.
  std::ifstream text(directory / "cgroup.procs");
  for (pid_t pid; text >> pid;)
    if (pid > 1) out.push_back(pid);
  return out;
}

// Children first. The hierarchy may change under us: what is not there any more is done, as all is of a container that
// ended by itself.
std::vector<fs::path> below(const fs::path& directory) {
  std::vector<fs::path> out;
  std::error_code failed, ignored;
  fs::directory_iterator entries(directory, failed);
  if (failed == std::errc::no_such_file_or_directory) return out;
  for (const auto& entry : entries)
    if (entry.is_directory(ignored)) {
      auto inner = below(entry.path());
      out.insert(out.end(), inner.begin(), inner.end());
    }
  out.push_back(directory);
  return out;
}

bool kill_once(const fs::path& directory) {
  bool any = false;
  for (const auto& group : below(directory)) {
    auto pids = members(group);
    any = any || !pids.empty();
    if (!pids.empty() && fs::exists(group / "cgroup.kill")) {
      try {
        write_file(group / "cgroup.kill", "1");
        continue;
      } catch (const Error&) {
        // removed meanwhile, or a kernel before 5.14: one by one
      }
    }
    for (pid_t pid : pids) ::kill(pid, SIGKILL);
  }
  return any;
}

// Version 1 lets no frozen process die, whoever froze it: also not in groups that a container made for itself.
void thaw_once(const fs::path& directory) {
  std::error_code ignored;
  for (const auto& group : below(directory))
    if (fs::exists(group / "freezer.state", ignored)) {
      try {
        write_file(group / "freezer.state", "THAWED");
      } catch (const Error&) {
        // removed meanwhile
      }
    }
}

// "rw,nosuid,nodev,noexec,relatime,cpu,cpuacct" -> "cpu,cpuacct"
std::string own_options(const std::string& options) {
  static const std::set<std::string> general = {
      "rw",      "ro",       "nosuid", "nodev",          "noexec",        "relatime",
      "noatime", "seclabel", "xattr",  "clone_children", "cpuset_v2_mode"};
  std::istringstream words(options);
  std::string out;
  for (std::string word; std::getline(words, word, ',');)
    if (!general.contains(word) && !word.starts_with("release_agent=")) out += (out.empty() ? "" : ",") + word;
  return out;
}

bool has_word(const std::string& list, const std::string& wanted) {
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');)
    if (word == wanted) return true;
  return false;
}

void make_group(const fs::path& directory) {
  if (::mkdir(directory.c_str(), 0755) < 0 && errno != EEXIST) throw_errno("make control group " + directory.string());
}

// A new group has no processors and no memory nodes until it is told; its children then take over what it has.
void hand_down_processors(const fs::path& group) {
  for (const char* name : {"cpuset.cpus", "cpuset.mems"}) {
    auto own = read_file_if_exists(group / name).value_or("");
    if (own.find_first_not_of(" \n") != std::string::npos) continue;
    write_file(group / name, read_file(group.parent_path() / name));
  }
  write_file(group / "cgroup.clone_children", "1");
}

// One by one, because a single one that cannot be had would refuse all. Which are there is what the host offers.
void switch_on_controllers(const fs::path& group) {
  std::istringstream names(read_file(group / "cgroup.controllers"));
  for (std::string name; names >> name;) {
    try {
      write_file(group / "cgroup.subtree_control", "+" + name);
    } catch (const Error& error) {
      log::debug("control group {}: controller {}: {}", group.string(), name, error.message());
    }
  }
}

}  // namespace

CgroupTree::CgroupTree(std::string instance, const std::string& mounts) : parent_("gantry-" + std::move(instance)) {
  std::istringstream lines(mounts);
  fs::path unified;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string source, target, type, options;
    words >> source >> target >> type;
    words >> options;
    if (type == "cgroup") hierarchies_.push_back({target, own_options(options)});
    if (type == "cgroup2") unified = target;
  }
  // On a hybrid host containers live in the version 1 hierarchies only (see enter_private_namespace in the shim).
  version2_ = hierarchies_.empty() && !unified.empty();
  if (version2_) hierarchies_.push_back({unified, {}});
}

void CgroupTree::bind(const ContainerId& id, std::string group) {
  std::lock_guard lock(mutex_);
  bound_[id] = std::move(group);
}

std::string CgroupTree::group_of(const ContainerId& id) const {
  std::lock_guard lock(mutex_);
  auto found = bound_.find(id);
  return found == bound_.end() ? id.str() : found->second;
}

bool CgroupTree::is_bound(const std::string& group) const {
  std::lock_guard lock(mutex_);
  return std::ranges::any_of(bound_, [&](const auto& entry) { return entry.second == group; });
}

void CgroupTree::forget(const ContainerId& id) {
  std::lock_guard lock(mutex_);
  bound_.erase(id);
}

std::vector<std::string> CgroupTree::directories(const std::string& group) const {
  // Two controllers may be mounted together and be reached by two names.
  std::set<std::string> out;
  for (const auto& hierarchy : hierarchies_) out.insert((hierarchy.directory / parent_ / group).string());
  return {out.begin(), out.end()};
}

fs::path CgroupTree::directory(const std::string& group, const std::string& controller) const {
  for (const auto& hierarchy : hierarchies_)
    if (has_word(hierarchy.options, controller)) return hierarchy.directory / parent_ / group;
  throw Error(ErrorKind::unsupported,
              "a limit needs the control group controller '" + controller + "', which this host lacks",
              "enable it on the kernel's command line, or leave the limit out");
}

bool CgroupTree::has_controller(const std::string& name) const {
  return std::ranges::any_of(hierarchies_, [&](const auto& h) { return has_word(h.options, name); });
}

void CgroupTree::make_instance() const {
  for (const auto& hierarchy : hierarchies_) {
    auto group = hierarchy.directory / parent_;
    make_group(group);
    if (has_word(hierarchy.options, "cpuset")) hand_down_processors(group);
    if (version2_) {
      switch_on_controllers(hierarchy.directory);
      switch_on_controllers(group);
    }
  }
}

std::string CgroupTree::make_shared(const SharedGroup& shared) const {
  auto name = kSharedPrefix + shared.name;
  std::lock_guard lock(mutex_);
  if (shared_.contains(name)) return name + "/";
  for (const auto& hierarchy : hierarchies_) {
    auto group = hierarchy.directory / parent_ / name;
    make_group(group);
    if (has_word(hierarchy.options, "cpuset")) hand_down_processors(group);
    if (version2_) switch_on_controllers(group);
  }
  oci::runtime::Resources limits;
  if (shared.memory) limits.memory.emplace().limit = static_cast<std::int64_t>(*shared.memory);
  if (shared.cpu_shares) limits.cpu.emplace().shares = *shared.cpu_shares;
  if (shared.io_weight) limits.blockIO.emplace().weight = *shared.io_weight;
  discard_impossible(ContainerId(name), Launcher::native, &limits);
  for (const auto& setting : settings(name, limits)) write_file(setting.file, setting.value);
  shared_.insert(name);
  return name + "/";
}

void CgroupTree::kill(const ContainerId& id) const {
  auto deadline = std::chrono::steady_clock::now() + kKillLimit;
  for (;;) {
    bool any = false;
    for (const auto& directory : directories(group_of(id))) any = kill_once(directory) || any;
    if (!any) return;
    for (const auto& directory : directories(group_of(id))) thaw_once(directory);
    if (std::chrono::steady_clock::now() > deadline)
      throw Error(ErrorKind::timeout, "kill container " + short_id(id) + ": its processes do not end",
                  "a process in uninterruptible sleep holds it: see ps -eo pid,stat,wchan,cmd");
    std::this_thread::sleep_for(kPause);
  }
}

void CgroupTree::remove(const ContainerId& id) const {
  kill(id);
  remove_group(group_of(id));
}

void CgroupTree::remove_group(const std::string& group) const {
  auto deadline = std::chrono::steady_clock::now() + kKillLimit;
  for (const auto& directory : directories(group))
    for (const auto& part : below(directory))
      while (::rmdir(part.c_str()) < 0 && errno != ENOENT) {
        if (std::chrono::steady_clock::now() > deadline) throw_errno("remove control group " + part.string());
        kill_once(directory);
        std::this_thread::sleep_for(kPause);
      }
}

std::vector<std::string> CgroupTree::groups() const {
  std::set<std::string> out;
  std::error_code ignored;
  for (const auto& hierarchy : hierarchies_)
    for (const auto& entry : fs::directory_iterator(hierarchy.directory / parent_, ignored)) {
      if (!entry.is_directory(ignored)) continue;
      auto name = entry.path().filename().string();
      if (!name.starts_with(kSharedPrefix)) {
        out.insert(std::move(name));
        continue;
      }
      for (const auto& inner : fs::directory_iterator(entry.path(), ignored))
        if (inner.is_directory(ignored)) out.insert(name + "/" + inner.path().filename().string());
    }
  return {out.begin(), out.end()};
}

std::vector<pid_t> CgroupTree::processes(const ContainerId& id) const {
  std::set<pid_t> out;
  for (const auto& directory : directories(group_of(id))) {
    for (const auto& group : below(directory))
      for (pid_t pid : members(group)) out.insert(pid);
    if (!out.empty()) break;  // they are in the groups of all hierarchies
  }
  return {out.begin(), out.end()};
}

void CgroupTree::remove_instance() const noexcept {
  for (const auto& hierarchy : hierarchies_) {
    auto own = hierarchy.directory / parent_;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(own, ignored))
      if (entry.path().filename().string().starts_with(kSharedPrefix)) ::rmdir(entry.path().c_str());
    ::rmdir(own.c_str());
  }
}

}  // namespace gantry::runtime
