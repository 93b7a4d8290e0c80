#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups.h"
#include "clients.h"
#include "exit_record.h"
#include "gantry/runtime/shim_protocol.h"
#include "holder.h"
#include "launcher.h"
#include "log.h"
#include "mounts.h"
#include "native/birth.h"
#include "native/native.h"
#include "plan.h"
#include "streams.h"
#include "sys.h"
#include "trace.h"

namespace gantry::shim {
namespace {

using runtime::shim::Message;
using runtime::shim::State;
using runtime::shim::Status;

constexpr int kDaemon = 3;                 // what a waiting shim is given its plan through
constexpr std::int64_t kDrainIdle = 1000;  // milliseconds a stream held by others than the program may stay silent
constexpr std::int64_t kDrainMost = 10000;

enum Token : std::uint32_t {
  listener_token,
  signal_token,
  channel_token,
  out_token,
  err_token,
  in_token,
  first_client_token
};
enum class Step { none, create, start, exec };  // what the launcher is doing

Status status{.state = State::preparing};
int epoll_fd = -1;
int signal_fd = -1;
int state_dir = -1;

Step step = Step::none;
pid_t step_pid = -1;  // the launcher's process that the step is waited for by, if it is one
const Launcher* launcher = nullptr;
bool channel_watched = false;
bool start_follows = false;  // asked for while the container is still being made
bool assigned = false;       // to a container or exec: before, failures go to the daemon alone
bool program_ended = false;
int program_result = 0;
bool pumping = false;
bool input_waits = false;
bool end_sent = false;
std::int64_t ended_at = 0;
std::int64_t last_output = 0;

// Children that ended before their number was known to be the program's.
struct Ended {
  pid_t pid;
  int result;
};
Ended early[16];
unsigned early_count = 0;

void tell_trace() {
  trace::mark("program executed");
  char text[4096];
  clients::broadcast_trace(text, trace::write(text, sizeof text));
}

void enter(State next) {
  if (!runtime::shim::may_follow(status.state, next)) fail({.kind = "internal", .what = "a step out of order"});
  status.state = next;
  if (next == State::running) tell_trace();
  clients::broadcast(status);
}

void add_to_epoll(int fd, std::uint32_t token, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u32 = token;
  if (::epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) fail_errno("watch", "a descriptor");
}

// Interest follows from the state; only changes reach the kernel. A descriptor nobody is interested in is taken out
// altogether, since a hang-up is reported whether asked for or not.
struct Watched {
  int* fd;
  std::uint32_t token;
  std::uint32_t events;
  bool active;
};
Watched watched[] = {{&streams::out, out_token, EPOLLIN, false},
                     {&streams::err, err_token, EPOLLIN, false},
                     {&streams::in, in_token, EPOLLOUT, false}};

void want(Watched& entry, bool wanted) {
  wanted = wanted && *entry.fd >= 0;
  if (wanted == entry.active) return;
  if (wanted) add_to_epoll(*entry.fd, entry.token, entry.events);
  if (!wanted && *entry.fd >= 0) ::epoll_ctl(epoll_fd, EPOLL_CTL_DEL, *entry.fd, nullptr);
  entry.active = wanted;
}

void update_interest() {
  bool read = pumping && !clients::busy();
  want(watched[0], read);
  want(watched[1], read);
  want(watched[2], input_waits);
  clients::hold_input(input_waits);
}

void close_stream(Watched& entry) {
  want(entry, false);
  ::close(*entry.fd);
  *entry.fd = -1;
}

void pump(int which) {
  Watched& entry = watched[which - 1];
  if (*entry.fd < 0 || clients::busy()) return;
  ssize_t n = ::read(*entry.fd, clients::chunk(), runtime::shim::kMaxPayload);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  // A terminal whose last user has gone answers EIO.
  if (n <= 0) return close_stream(entry);
  last_output = steady_millis();
  log::write(which, clients::chunk(), static_cast<std::size_t>(n));
  clients::send_chunk(which == 2 ? Message::err : Message::out, static_cast<std::size_t>(n));
}

void step_done();

void begin(Step next) {
  if (next == Step::start) {
    if (!plan.native) streams::discard_pending();  // crun's own words
    pumping = true;
  }
  step = next;
  auto run = next == Step::create ? launcher->create : next == Step::start ? launcher->start : launcher->exec;
  auto awaited = run();
  step_pid = awaited.process;
  if (awaited.channel >= 0 && !channel_watched) add_to_epoll(awaited.channel, channel_token, EPOLLIN);
  channel_watched = channel_watched || awaited.channel >= 0;
  if (awaited.process < 0 && awaited.channel < 0) step_done();  // nothing is left to wait for
}

void take_program() {
  status.pid = launcher->program();
  for (unsigned i = 0; i < early_count; ++i)
    if (early[i].pid == status.pid) {
      program_ended = true;
      program_result = early[i].result;
    }
}

void step_done() {
  Step ended = step;
  step = Step::none;
  step_pid = -1;
  if (ended != Step::start) {
    take_program();
    streams::program_made();
  }
  pumping = ended != Step::create;
  enter(ended == Step::create ? State::created : State::running);
  if (ended == Step::create && start_follows) begin(Step::start);
}

// Who is attached before it was said misses nothing.
void start() {
  clients::greet_all();
  if (step == Step::none) return begin(plan.exec ? Step::exec : Step::start);
  if (step != Step::create || start_follows) return;
  start_follows = true;
  launcher->start_follows();
}

void record_end() {
  if (WIFSIGNALED(program_result)) {
    status.signaled = 1;
    status.code = 128 + WTERMSIG(program_result);
  } else {
    status.code = WEXITSTATUS(program_result);
  }
  status.time = wall_nanos();
  if (!plan.exec && status.code != 0) status.oom_killed = out_of_memory_killed() ? 1 : 0;
  ended_at = last_output = steady_millis();
  if (!pumping)
    for (int i : {0, 1})
      if (*watched[i].fd >= 0) close_stream(watched[i]);
}

void end_if_over() {
  if (program_ended && ended_at == 0 && step == Step::none) record_end();
}

void reap() {
  signalfd_siginfo ignored;
  while (::read(signal_fd, &ignored, sizeof ignored) > 0) {
  }
  int result = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &result, WNOHANG)) > 0;) {
    if (pid == step_pid) {
      if (result != 0) fail({.kind = "launcher", .what = ""});
      step_done();
    } else if (step == Step::create && plan.native && pid == launcher->program() && !native::something_said()) {
      // Our own copy of its end keeps the channel from closing.
      fail({.kind = "internal", .what = "the container's first process was killed"});
    } else if (status.pid != 0 && pid == status.pid) {
      program_ended = true;
      program_result = result;
    } else {
      early[early_count++ % 16] = {pid, result};
      if (early_count >= 16) early_count = 16;
    }
  }
  end_if_over();
}

int drain_timeout() {
  if (ended_at == 0 || clients::busy()) return -1;
  std::int64_t now = steady_millis();
  std::int64_t idle = last_output + kDrainIdle - now;
  std::int64_t most = ended_at + kDrainMost - now;
  std::int64_t left = idle < most ? idle : most;
  return left < 0 ? 0 : static_cast<int>(left);
}

[[noreturn]] void finish() {
  if (!plan.exec) write_exit_record(state_dir, status);
  enter(State::exited);
  if (!plan.exec) {
    remove_cgroups();
    if (!plan.native) unmount_all();
  }
  ::_exit(0);
}

void advance_end() {
  if (ended_at == 0 || clients::busy()) return;
  if (!end_sent) {
    bool open = streams::out >= 0 || streams::err >= 0;
    if (open && drain_timeout() > 0) return;
    if (!plan.exec) log::finish();
    end_sent = true;
    pumping = false;
    clients::send_chunk(Message::end, 0);
  }
  if (!clients::busy()) finish();
}

void prepare_process() {
  ::umask(022);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  // Not the daemon's: a container that gets no keyring of its own, for too many are there, is left with this one.
  ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  signal_fd = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  epoll_fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (signal_fd < 0 || epoll_fd < 0) fail_errno("make", "an event loop");
  status.shim_pid = ::getpid();
  add_to_epoll(signal_fd, signal_token, EPOLLIN);
}

void prepare_container() {
  state_dir = ::open(plan.state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (state_dir < 0) fail_errno("open", plan.state_dir);
  reserve_exit_record(state_dir);
  log::open(state_dir, plan.log_max_size, plan.log_max_files);
  if (plan.native) return;  // that launcher mounts by itself
  if (plan.mapped) {
    holder::make(true, false);
    holder::map_ids();
  }
  mount_all();
  holder::end();
}

void dispatch(const epoll_event& event) {
  switch (event.data.u32) {
    case listener_token:
      return clients::accept_all();
    case signal_token:
      return reap();
    case channel_token:
      // The program's end may come right behind.
      if (launcher->received() && step != Step::none) step_done();
      return end_if_over();
    case out_token:
      return pump(1);
    case err_token:
      return pump(2);
    case in_token:
      input_waits = !streams::flush_input();
      return;
    default:
      return clients::on_event(static_cast<int>(event.data.u32 - first_client_token), event.events);
  }
}

int timeout() {
  int stall = clients::stall_timeout();
  return stall >= 0 ? stall : drain_timeout();
}

// An exec nobody waits for any more and that has not begun is over.
bool abandoned() { return plan.exec && status.state == State::created && step == Step::none && clients::count() == 0; }

}  // namespace

void clients::on_message(Message type, const char* data, std::size_t size) {
  switch (type) {
    case Message::start:
      return start();
    case Message::input:
      input_waits = !streams::write_input(data, size);
      return hold_input(input_waits);
    case Message::close_input:
      return streams::close_input();
    case Message::resize: {
      runtime::shim::Window window;
      memcpy(&window, data, sizeof window);
      return streams::resize(window);
    }
    case Message::signal: {
      std::int32_t number;
      memcpy(&number, data, sizeof number);
      if (status.pid > 1 && !program_ended && number > 0) ::kill(status.pid, number);
      return;
    }
    default:
      return;
  }
}

const Status& clients::current_status() { return status; }

void fail(const Failure& failure) { fail_with(to_text(failure)); }

void fail_with(const FailureText& message) {
  if (failure_channel() >= 0) {
    write_all(failure_channel(), message.c_str(), message.length());
    ::_exit(1);
  }
  if (!assigned) ::send(kDaemon, message.c_str(), message.length(), MSG_NOSIGNAL);
  clients::broadcast_failure(message.c_str(), message.length());
  if (step_pid > 0) ::kill(step_pid, SIGKILL);
  if (!plan.exec) {
    remove_cgroups();
    unmount_all();
  }
  ::_exit(1);
}

namespace {

Received receive_from_daemon() {
  char byte;
  return receive(kDaemon, &byte, 1);
}

void stand_by() {
  int words = receive_from_daemon().descriptors[0];
  if (words < 0) ::_exit(0);
  read_early_plan(words);
  ::close(words);
  // One that sees the host's groups sees those that crun would show it. Others need not wait for the unmount, which
  // waits for all processors.
  if (plan.namespaces.cgroup != nullptr) hide_unified_groups();
  holder::make(plan.mapped, plan.namespaces.network == nullptr);
  if (plan.mapped) holder::map_ids();
  native::stand_by();
}

void wait_for_plan() {
  pid_t first = plan.native ? native_launcher.program() : 0;
  if (::send(kDaemon, &first, sizeof first, MSG_NOSIGNAL) < 0) ::_exit(0);
  auto received = receive_from_daemon();
  if (received.count == 0) {  // it is not needed any more
    if (plan.native) native::give_up_standing_by();
    ::_exit(0);
  }
  if (::fchdir(received.descriptors[0]) < 0) ::_exit(1);
  ::close(received.descriptors[0]);
  ::close(kDaemon);
  assigned = true;
  int listener = received.descriptors[1];
  ::fcntl(listener, F_SETFL, O_NONBLOCK);
  clients::begin(epoll_fd, listener, first_client_token);
  add_to_epoll(listener, listener_token, EPOLLIN);
}

}  // namespace

int run(const char* kind) {
  prepare_process();
  enter_private_namespace();
  ::prctl(PR_SET_NAME, "gantry-standby");
  if (strcmp(kind, "native") == 0) {
    share_plan();
    native::share_birth();
    trace::share();
    stand_by();
  }
  wait_for_plan();
  trace::mark("shim has its plan");
  read_plan();
  ::prctl(PR_SET_NAME, plan.exec ? "gantry-exec" : "gantry-shim");
  launcher = plan.native ? &native_launcher : &crun_launcher;
  if (!plan.native) hide_unified_groups();
  if (!plan.exec) prepare_container();
  streams::make();
  if (plan.exec) {
    enter(State::created);
    clients::accept_all();
  } else {
    begin(Step::create);
  }
  for (;;) {
    update_interest();
    epoll_event events[16];
    int n = ::epoll_wait(epoll_fd, events, 16, timeout());
    for (int i = 0; i < n; ++i) dispatch(events[i]);
    clients::drop_stalled();
    advance_end();
    if (abandoned()) ::_exit(0);
  }
}

}  // namespace gantry::shim
