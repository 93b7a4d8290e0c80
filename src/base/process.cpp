#include "gantry/base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "gantry/base/error.h"

namespace gantry {
namespace {

ExitStatus from_wait(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return {.code = info.si_status, .signaled = false};
  return {.code = 128 + info.si_status, .signaled = true};
}

class SpawnActions {
 public:
  SpawnActions() { ::posix_spawn_file_actions_init(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

class SpawnAttributes {
 public:
  explicit SpawnAttributes(bool new_session) {
    ::posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (new_session) flags |= POSIX_SPAWN_SETSID;
    ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
  }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  ~SpawnAttributes() { ::posix_spawnattr_destroy(&attributes_); }
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const auto& text : strings) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

Fd open_pidfd(pid_t pid) {
  int raw = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (raw < 0) throw_errno("pidfd_open");
  return Fd(raw);
}

}  // namespace

Child spawn(const Command& command) {
  SpawnActions actions;
  SpawnAttributes attributes(command.new_session);
  // Our descriptors are close-on-exec; dup2 onto the child's number clears that flag. A descriptor that already has
  // the wanted number, or whose number another entry overwrites first, is moved out of the way before.
  std::vector<Fd> moved;
  std::array<bool, 3> given{};
  int highest = 2;
  for (auto [target, source] : command.descriptors) highest = std::max({highest, target, source});
  for (auto [target, source] : command.descriptors) {
    int copy = ::fcntl(source, F_DUPFD_CLOEXEC, highest + 1);
    if (copy < 0) throw_errno("duplicate a descriptor");
    moved.emplace_back(copy);
    ::posix_spawn_file_actions_adddup2(actions.get(), copy, target);
    if (target >= 0 && target < 3) given[static_cast<std::size_t>(target)] = true;
  }
  for (int i = 0; i < 3; ++i)
    if (!given[static_cast<std::size_t>(i)])
      ::posix_spawn_file_actions_addopen(actions.get(), i, "/dev/null", i == 0 ? O_RDONLY : O_WRONLY, 0);
  if (!command.directory.empty()) ::posix_spawn_file_actions_addchdir_np(actions.get(), command.directory.c_str());

  auto argv = pointers(command.argv);
  std::vector<char*> environment;
  if (command.environment) environment = pointers(*command.environment);
  pid_t pid = -1;
  int failed = ::posix_spawnp(&pid, command.argv.at(0).c_str(), actions.get(), attributes.get(), argv.data(),
                              command.environment ? environment.data() : environ);
  if (failed != 0) throw system_error(failed, "start " + command.argv[0]);
  return Child(pid, open_pidfd(pid));
}

void Child::signal(int number) const {
  if (::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0) < 0 && errno != ESRCH)
    throw_errno("signal process " + std::to_string(pid_));
}

ExitStatus Child::wait() {
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) < 0) {
    // A wait given up by a coroutine leaves the pidfd non-blocking: wait for it to become readable instead.
    pollfd ended{pidfd_.get(), POLLIN, 0};
    if (errno == EAGAIN) {
      (void)::poll(&ended, 1, -1);
    } else if (errno != EINTR) {
      throw_errno("wait for process " + std::to_string(pid_));
    }
  }
  return from_wait(info);
}

task<ExitStatus> Child::async_wait() {
  // A pidfd becomes readable when the process has ended.
  asio::posix::stream_descriptor readable(co_await asio::this_coro::executor, pidfd_.duplicate().release());
  co_await readable.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
  co_return wait();
}

Captured run_captured(const Command& command, std::string_view input, std::chrono::milliseconds limit) {
  constexpr std::size_t kMost = 16u << 20;
  Pipe in = make_pipe(), out = make_pipe(), err = make_pipe();
  Command full = command;
  full.descriptors.insert(full.descriptors.end(), {{0, in.read.get()}, {1, out.write.get()}, {2, err.write.get()}});
  Child child = spawn(full);
  in.read.reset();
  out.write.reset();
  err.write.reset();
  ::fcntl(in.write.get(), F_SETFL, O_NONBLOCK);

  Captured result;
  auto fail = [&](Error error) {
    child.signal(SIGKILL);
    child.wait();
    throw error;
  };
  auto deadline = std::chrono::steady_clock::now() + limit;
  if (input.empty()) in.write.reset();
  while (out.read || err.read) {
    std::array<pollfd, 3> polled{pollfd{out.read.get(), POLLIN, 0}, pollfd{err.read.get(), POLLIN, 0},
                                 pollfd{in.write.get(), POLLOUT, 0}};
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) fail(Error(ErrorKind::timeout, command.argv[0] + ": not finished within the time given"));
    if (::poll(polled.data(), polled.size(), static_cast<int>(left.count())) < 0 && errno != EINTR) throw_errno("poll");
    auto drain = [&](Fd& fd, const pollfd& entry, std::string& into) {
      if (!fd || entry.revents == 0) return;
      char buffer[16384];
      ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
      if (n > 0) into.append(buffer, static_cast<std::size_t>(n));
      if (n == 0 || (n < 0 && errno != EINTR)) fd.reset();
    };
    drain(out.read, polled[0], result.out);
    drain(err.read, polled[1], result.err);
    if (result.out.size() > kMost || result.err.size() > kMost)
      fail(Error(ErrorKind::exhausted, command.argv[0] + ": printed more than 16 MiB"));
    if (in.write && polled[2].revents != 0) {
      ssize_t n = ::write(in.write.get(), input.data(), input.size());
      if (n > 0) input.remove_prefix(static_cast<std::size_t>(n));
      if (input.empty() || (n < 0 && errno != EAGAIN && errno != EINTR)) in.write.reset();
    }
  }
  result.status = child.wait();
  return result;
}

}  // namespace gantry
