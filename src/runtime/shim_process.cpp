#include "shim_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <sstream>

#include "gantry/base/files.h"
#include "gantry/base/json.h"
#include "gantry/base/process.h"
#include "launcher_error.h"

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

constexpr int kEndLimit = 2000;        // milliseconds
constexpr timeval kOrderLimit{10, 0};  // of one that was stopped, or a machine that hardly goes on

struct SocketPair {
  Fd ours, theirs;
};

SocketPair make_socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) throw_errno("make a socket pair");
  return {Fd(ends[0]), Fd(ends[1])};
}

ssize_t receive(const Fd& socket, void* data, std::size_t room) {
  ssize_t got;
  do got = ::recv(socket.get(), data, room, 0);
  while (got < 0 && errno == EINTR);
  return got;
}

// It says the number of its first process, or what failed: three lines.
pid_t await_ready(const Standby& standby) {
  char buffer[8192];
  auto got = receive(standby.socket(), buffer, sizeof buffer);
  if (got <= 0) throw Error(ErrorKind::unavailable, "a shim ended before it was ready", "see gantryd's log and dmesg");
  pid_t first = 0;
  if (got != sizeof first) throw shim_error(std::string(buffer, static_cast<std::size_t>(got)), {});
  std::memcpy(&first, buffer, sizeof first);
  return first;
}

bool send_with(const Fd& socket, std::string_view text, std::initializer_list<int> descriptors) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {};
  auto size = descriptors.size() * sizeof(int);
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(size);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(header), descriptors.begin(), size);
  return ::sendmsg(socket.get(), &message, MSG_NOSIGNAL) >= 0;
}

void send_descriptors(const Standby& standby, std::initializer_list<int> descriptors) {
  if (!send_with(standby.socket(), "p", descriptors)) throw_errno("give a shim its plan");
}

}  // namespace

ShimImage::ShimImage(const std::filesystem::path& program) {
  memory_ = Fd(::memfd_create("gantry-shim", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory_) throw_errno("make memory for " + program.string());
  write_all(memory_.get(), read_file(program), "copy " + program.string());
  if (::fcntl(memory_.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
    throw_errno("seal the memory of " + program.string());
  path_ = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(memory_.get());
}

ShimMaker::~ShimMaker() { end_zygote(); }

// It ends by itself when the socket is closed; one that was stopped is not waited for.
void ShimMaker::end_zygote() {
  if (!zygote_) return;
  orders_.reset();
  zygote_->signal(SIGKILL);
  zygote_->wait();
  zygote_.reset();
}

void ShimMaker::start_zygote() {
  auto [ours, theirs] = make_socket_pair();
  Command command{.argv = {image_.path()},
                  .environment = std::vector<std::string>{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                  .descriptors = {{3, theirs.get()}},
                  .new_session = true};
  zygote_.emplace(spawn(command));
  orders_ = std::move(ours);
  ::setsockopt(orders_.get(), SOL_SOCKET, SO_RCVTIMEO, &kOrderLimit, sizeof kOrderLimit);
}

std::optional<pid_t> ShimMaker::order(StandbyKind kind, const Fd& socket) {
  if (!zygote_ || !send_with(orders_, json::name_of(kind), {socket.get()})) return std::nullopt;
  pid_t answer = 0;
  if (receive(orders_, &answer, sizeof answer) != sizeof answer) return std::nullopt;
  if (answer < 0) throw system_error(-answer, "make a shim");
  return answer;
}

std::unique_ptr<Standby> ShimMaker::make(StandbyKind kind) {
  std::lock_guard lock(mutex_);
  auto ends = make_socket_pair();
  auto pid = order(kind, ends.theirs);
  if (!pid) {
    end_zygote();
    start_zygote();
    ends = make_socket_pair();  // the answer may have been lost, not the shim: that one ends with the old pair
    pid = order(kind, ends.theirs);
  }
  if (!pid) throw Error(ErrorKind::unavailable, "a shim could not be made", "see gantryd's log and dmesg");
  Fd process(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));
  if (!process) {
    auto failure = system_error(errno, "hold a shim");
    ends = {};
    ::waitpid(*pid, nullptr, 0);
    throw failure;
  }
  auto standby = std::make_unique<Standby>(kind, *pid, std::move(process), std::move(ends.ours));
  standby->start_time = start_time(*pid);
  return standby;
}

// With the socket its order ends: it takes its first process and control group away, and then itself.
Standby::~Standby() {
  if (!process_) return;
  socket_.reset();
  pollfd ended{process_.get(), POLLIN, 0};
  if (::poll(&ended, 1, kEndLimit) <= 0) ::syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0);
  siginfo_t ignored{};
  while (::waitid(P_PIDFD, static_cast<id_t>(process_.get()), &ignored, WEXITED) < 0 && errno == EINTR) {
  }
}

bool Standby::alive() const {
  // A pidfd is readable when its process has ended.
  for (const auto* process : {&process_, &first_}) {
    pollfd ended{process->get(), POLLIN, 0};
    if (*process && ::poll(&ended, 1, 0) != 0) return false;
  }
  return true;
}

Fd Standby::give_away() { return std::move(process_); }

std::unique_ptr<Standby> start_plain_standby(ShimMaker& maker) {
  auto standby = maker.make(StandbyKind::plain);
  await_ready(*standby);
  return standby;
}

std::unique_ptr<Standby> start_native_standby(ShimMaker& maker, const std::string& early_plan) {
  auto standby = maker.make(StandbyKind::native);
  Fd words(::memfd_create("plan", MFD_CLOEXEC));
  if (!words) throw_errno("make a file in memory");
  write_all(words.get(), early_plan, "early plan");
  send_descriptors(*standby, {words.get()});
  pid_t first = await_ready(*standby);
  Fd process(static_cast<int>(::syscall(SYS_pidfd_open, first, 0)));
  if (!process) throw_errno("hold the first process of a shim");
  standby->set_first(std::move(process));
  standby->set_netns(open_file("/proc/" + std::to_string(first) + "/ns/net", O_RDONLY));
  return standby;
}

void assign(Standby& standby, const std::filesystem::path& directory, const Fd& listener) {
  Fd place = open_file(directory.string(), O_PATH | O_DIRECTORY);
  write_file(directory / "shim.pid", std::to_string(standby.pid()) + " " + standby.start_time + "\n");
  send_descriptors(standby, {place.get(), listener.get()});
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
