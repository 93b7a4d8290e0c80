#include "command_check.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sstream>

namespace gantry::runtime {
namespace {

enum class Found { no, not_executable, yes };

Found look(const Fd& root, const std::string& path) {
  open_how how{.flags = O_PATH | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  Fd file(static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) < 0) return Found::no;
  return S_ISREG(info.st_mode) && (info.st_mode & 0111) != 0 ? Found::yes : Found::not_executable;
}

std::vector<std::string> candidates(const Plan& plan) {
  const auto& command = plan.argv.front();
  if (command.starts_with('/')) return {command};
  if (command.find('/') != std::string::npos) return {plan.working_dir + "/" + command};
  std::vector<std::string> out;
  for (const auto& variable : plan.environment) {
    if (!variable.starts_with("PATH=")) continue;
    std::istringstream parts(variable.substr(5));
    for (std::string part; std::getline(parts, part, ':');) out.push_back(part + "/" + command);
  }
  return out;
}

}  // namespace

void require_command(pid_t container, const Plan& plan) {
  Fd root = open_file("/proc/" + std::to_string(container) + "/root", O_PATH | O_DIRECTORY);
  auto best = Found::no;
  for (const auto& path : candidates(plan)) best = std::max(best, look(root, path));
  if (best == Found::no)
    throw Error(ErrorKind::not_found, plan.argv.front() + ": no such command in the image",
                "check the command's spelling, and that the image contains it");
  if (best == Found::not_executable)
    throw Error(ErrorKind::invalid, plan.argv.front() + ": the command is not executable",
                "set its execute permission in the image (chmod +x)");
}

}  // namespace gantry::runtime
