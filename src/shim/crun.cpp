#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "launcher.h"
#include "plan.h"
#include "streams.h"
#include "sys.h"

namespace gantry::shim {
namespace {

class Arguments {
 public:
  Arguments() {
    for (const char* word : {plan.crun, "--root", plan.crun_root, "--log", "file:crun.log", "--log-format", "json"})
      add(word);
  }
  Arguments& add(const char* word) {
    if (count_ + 1 < kMost) words_[count_++] = word;
    return *this;
  }
  Arguments& add_console() { return plan.tty ? add("--console-socket").add("console.sock") : *this; }
  const char* const* get() const { return words_; }

 private:
  static constexpr int kMost = 24;
  const char* words_[kMost] = {};
  int count_ = 0;
};

// Raised here, where the host's capabilities still hold, and inherited by the program.
void apply_limits() {
  for (std::size_t i = 0; i < plan.limit_count; ++i) {
    rlimit limit{plan.limits[i].soft, plan.limits[i].hard};
    ::setrlimit(static_cast<__rlimit_resource_t>(plan.limits[i].resource), &limit);
  }
  if (*plan.oom_score_adj == 0) return;
  int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd >= 0) write_all(fd, plan.oom_score_adj, strlen(plan.oom_score_adj));
  ::close(fd);
}

Awaited awaited(pid_t process) {
  if (process < 0) fail_errno("start", plan.crun);
  return {.process = process};
}

Awaited with_streams(const Arguments& arguments) {
  return awaited(
      start_program(arguments.get(), streams::program_in, streams::program_out, streams::program_err, apply_limits));
}

Awaited create() {
  Arguments arguments;
  arguments.add("create").add("--bundle").add(".").add("--pid-file").add("pid").add_console().add(plan.id);
  return with_streams(arguments);
}

void start_follows() {}  // it is another program that starts

Awaited start() {
  Arguments arguments;
  arguments.add("start").add(plan.id);
  return awaited(start_program(arguments.get(), -1, -1, -1));
}

Awaited exec() {
  Arguments arguments;
  arguments.add("exec").add("--detach").add("--process").add("process.json").add("--pid-file").add("pid");
  arguments.add_console().add(plan.id);
  return with_streams(arguments);
}

pid_t program() {
  char text[32];
  if (read_small(AT_FDCWD, "pid", text, sizeof text) <= 0) fail_errno("read", "the program's process id");
  auto pid = static_cast<pid_t>(to_number(text));
  if (pid <= 1) fail({.kind = "internal", .what = "the OCI runtime named no process"});
  return pid;
}

}  // namespace

const Launcher crun_launcher = {.create = create,
                                .start_follows = start_follows,
                                .start = start,
                                .exec = exec,
                                .received = nullptr,
                                .program = program};

}  // namespace gantry::shim
