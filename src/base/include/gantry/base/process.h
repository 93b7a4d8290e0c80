#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/base/fd.h"

namespace gantry {

/// How a process ended. `code` is what a shell would show: the exit code, or 128 + the signal's number.
struct ExitStatus {
  int code = 0;
  bool signaled = false;
  bool oom_killed = false;
};

/// A program to start. Descriptors not named here are closed in the child; signals are unblocked and default.
struct Command {
  std::vector<std::string> argv;                        ///< argv[0] is an absolute path or looked up in PATH
  std::optional<std::vector<std::string>> environment;  ///< KEY=VALUE; unset: this process's own
  std::string directory;                                ///< working directory; empty: this process's own
  /// Descriptors in the child: {child's number, our descriptor}. 0, 1, 2 default to /dev/null.
  std::vector<std::pair<int, int>> descriptors;
  bool new_session = false;
};

/// A child of ours, held by pidfd. Not waited for in the destructor; see `kill_and_wait`.
class Child {
 public:
  Child(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  pid_t pid() const { return pid_; }
  const Fd& pidfd() const { return pidfd_; }
  void signal(int number) const;
  /// Blocks until it has ended, and reaps it.
  ExitStatus wait();
  /// The same without blocking a thread. One executor.
  task<ExitStatus> async_wait();

 private:
  pid_t pid_;
  Fd pidfd_;
};

/// posix_spawn (the threaded daemon never forks). Throws Error: not_found names the program.
Child spawn(const Command& command);

struct Captured {
  ExitStatus status;
  std::string out;
  std::string err;
};
/// Runs to the end, collecting both streams, with `input` on standard input. Blocks; past `limit` the process is
/// killed and an Error (timeout) thrown. Output beyond 16 MiB is an Error.
Captured run_captured(const Command& command, std::string_view input = {},
                      std::chrono::milliseconds limit = std::chrono::minutes(10));

}  // namespace gantry
