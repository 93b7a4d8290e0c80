#include "cgroup.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "gantry/base/files.h"

namespace gantry::runtime {
namespace {

namespace fs = std::filesystem;

constexpr auto kKillLimit = std::chrono::seconds(20);
constexpr auto kPause = std::chrono::milliseconds(2);

std::vector<pid_t> members(const fs::path& directory) {
  std::vector<pid_t> out;
  // A group may go while it is read (ENODEV): then it has no members, which is what the end of the stream says.
  std::ifstream text(directory / "cgroup.procs");
  for (pid_t pid; text >> pid;)
    if (pid > 1) out.push_back(pid);
  return out;
}

// Children first. The hierarchy may change under us: what is not there any more is done.
std::vector<fs::path> below(const fs::path& directory) {
  std::vector<fs::path> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored))
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

std::uint64_t number_in(const fs::path& path) {
  auto text = read_file_if_exists(path);
  return text ? std::strtoull(text->c_str(), nullptr, 10) : 0;
}

std::uint64_t field_in(const fs::path& path, const std::string& key) {
  std::istringstream text(read_file_if_exists(path).value_or(""));
  std::string name;
  for (std::uint64_t value; text >> name >> value;)
    if (name == key) return value;
  return 0;
}

std::uint64_t less(std::uint64_t from, std::uint64_t what) { return from > what ? from - what : 0; }

// What can be given back at once (inactive page cache) is not counted, as docker does.
void add_version1(const fs::path& directory, Usage& usage) {
  if (fs::exists(directory / "memory.usage_in_bytes")) {
    usage.memory = less(number_in(directory / "memory.usage_in_bytes"),
                        field_in(directory / "memory.stat", "total_inactive_file"));
    constexpr std::uint64_t kUnlimited = 1ull << 62;
    auto limit = number_in(directory / "memory.limit_in_bytes");
    usage.memory_limit = limit < kUnlimited ? limit : 0;
  }
  if (fs::exists(directory / "cpuacct.usage")) usage.cpu_nanos = number_in(directory / "cpuacct.usage");
}

void add_version2(const fs::path& directory, Usage& usage) {
  if (fs::exists(directory / "memory.current")) {
    usage.memory = less(number_in(directory / "memory.current"), field_in(directory / "memory.stat", "inactive_file"));
    usage.memory_limit = number_in(directory / "memory.max");  // "max" reads as 0
  }
  if (fs::exists(directory / "cpu.stat") && fs::exists(directory / "cgroup.controllers"))
    usage.cpu_nanos = field_in(directory / "cpu.stat", "usage_usec") * 1000;
}

}  // namespace

CgroupTree::CgroupTree(std::string instance, const std::string& mounts) : parent_("gantry-" + std::move(instance)) {
  std::istringstream lines(mounts);
  fs::path unified;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string source, target, type;
    words >> source >> target >> type;
    if (type == "cgroup") hierarchies_.emplace_back(target);
    if (type == "cgroup2") unified = target;
  }
  // On a hybrid host containers live in the version 1 hierarchies only (see enter_private_namespace in the shim).
  if (hierarchies_.empty() && !unified.empty()) hierarchies_.push_back(unified);
}

std::vector<std::string> CgroupTree::directories(const ContainerId& id) const {
  // Two controllers may be mounted together and be reached by two names.
  std::set<std::string> out;
  for (const auto& hierarchy : hierarchies_) out.insert((hierarchy / parent_ / id.str()).string());
  return {out.begin(), out.end()};
}

void CgroupTree::kill(const ContainerId& id) const {
  auto deadline = std::chrono::steady_clock::now() + kKillLimit;
  for (;;) {
    bool any = false;
    for (const auto& directory : directories(id)) any = kill_once(directory) || any;
    if (!any) return;
    if (std::chrono::steady_clock::now() > deadline)
      throw Error(ErrorKind::timeout, "kill container " + short_id(id) + ": its processes do not end",
                  "a process in uninterruptible sleep holds it: see ps -eo pid,stat,wchan,cmd");
    std::this_thread::sleep_for(kPause);
  }
}

void CgroupTree::remove(const ContainerId& id) const {
  kill(id);
  auto deadline = std::chrono::steady_clock::now() + kKillLimit;
  for (const auto& directory : directories(id))
    for (const auto& group : below(directory))
      while (::rmdir(group.c_str()) < 0 && errno != ENOENT) {
        if (std::chrono::steady_clock::now() > deadline) throw_errno("remove control group " + group.string());
        kill_once(directory);
        std::this_thread::sleep_for(kPause);
      }
}

std::vector<ContainerId> CgroupTree::containers() const {
  std::set<ContainerId> out;
  std::error_code ignored;
  for (const auto& hierarchy : hierarchies_)
    for (const auto& entry : fs::directory_iterator(hierarchy / parent_, ignored))
      if (entry.is_directory(ignored)) out.insert(ContainerId(entry.path().filename().string()));
  return {out.begin(), out.end()};
}

Usage CgroupTree::usage(const ContainerId& id) const {
  Usage usage;
  for (const auto& directory : directories(id)) {
    add_version1(directory, usage);
    add_version2(directory, usage);
    if (fs::exists(fs::path(directory) / "pids.current")) usage.pids = number_in(fs::path(directory) / "pids.current");
  }
  return usage;
}

void CgroupTree::remove_instance() const noexcept {
  for (const auto& hierarchy : hierarchies_) ::rmdir((hierarchy / parent_).c_str());
}

}  // namespace gantry::runtime
