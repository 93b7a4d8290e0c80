#include "shim_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "gantry/base/files.h"
#include "gantry/base/process.h"

namespace gantry::runtime {
namespace {

// Field 22 of /proc/<pid>/stat; with it a process id names one process for ever.
std::string start_time(pid_t pid) {
  auto stat = read_file_if_exists("/proc/" + std::to_string(pid) + "/stat").value_or("");
  auto after_name = stat.rfind(')');
  if (after_name == std::string::npos) return {};
  std::istringstream fields(stat.substr(after_name + 1));
  std::string field;
  for (int i = 3; i <= 22; ++i) fields >> field;
  return field;
}

}  // namespace

Fd start_shim(const std::filesystem::path& shim, const std::filesystem::path& directory, const Fd& listener) {
  Command command{.argv = {shim.string()},
                  .environment = std::vector<std::string>{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                  .directory = directory.string(),
                  .descriptors = {{3, listener.get()}},
                  .new_session = true};
  Child child = spawn(command);
  try {
    Fd process = child.pidfd().duplicate();
    write_file(directory / "shim.pid", std::to_string(child.pid()) + " " + start_time(child.pid()) + "\n");
    return process;
  } catch (...) {
    child.signal(SIGKILL);
    child.wait();
    throw;
  }
}

void kill_shim(const std::filesystem::path& directory) {
  std::istringstream text(read_file_if_exists(directory / "shim.pid").value_or(""));
  pid_t pid = 0;
  std::string started;
  if (!(text >> pid >> started) || pid <= 1) return;
  int raw = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (raw < 0) return;
  Fd process(raw);
  if (start_time(pid) != started) return;
  ::syscall(SYS_pidfd_send_signal, raw, SIGKILL, nullptr, 0);
  pollfd ended{raw, POLLIN, 0};
  ::poll(&ended, 1, 10'000);
  siginfo_t ignored{};
  ::waitid(P_PIDFD, static_cast<id_t>(raw), &ignored, WEXITED | WNOHANG);
}

}  // namespace gantry::runtime
