#include "shim_link.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gantry/base/log.h"
#include "launcher_error.h"

namespace gantry::runtime {

ShimLink::ShimLink(asio::any_io_executor executor, std::filesystem::path directory)
    : executor_(executor),
      directory_(std::move(directory)),
      control_(executor, directory_, shim::Role::control),
      changed_(executor, asio::steady_timer::time_point::max()) {}

// The listener belongs to the link itself (it holds a reference), and ends when the shim does or `close` is called.
void ShimLink::begin(Fd process) {
  process_ = std::move(process);
  asio::co_spawn(executor_, listen_to_end(), [self = shared_from_this()](std::exception_ptr failure) {
    if (failure && !is_cancellation(failure) && !self->closed_)
      log::error("shim in {}: {}", self->directory_.string(), to_error(failure).message());
  });
}

void ShimLink::close() {
  closed_ = true;
  control_.close();
  changed_.cancel();
}

task<> ShimLink::listen_to_end() {
  std::exception_ptr failure;
  try {
    co_await listen();
    if (!closed_) co_await await_process_end();
  } catch (...) {
    failure = std::current_exception();
  }
  gone_ = true;
  changed_.cancel();
  if (failure) std::rethrow_exception(failure);
}

task<> ShimLink::listen() {
  for (;;) {
    auto packet = co_await control_.receive();
    if (!packet) co_return;
    take(*packet);
    changed_.cancel();
  }
}

void ShimLink::take(const Packet& packet) {
  if (packet.type == shim::Message::failed) {
    failure_ = shim_error(packet.payload, directory_);
    return;
  }
  if (packet.type == shim::Message::trace) trace_ = packet.payload;
  if (packet.type != shim::Message::state) return;
  auto status = to_status(packet);
  if (known_ && status_.state != status.state && !shim::may_follow(status_.state, status.state))
    throw Error(ErrorKind::internal, "the shim's states came out of order");
  status_ = status;
  known_ = true;
  if (!process_) {
    int raw = static_cast<int>(::syscall(SYS_pidfd_open, status.shim_pid, 0));
    if (raw >= 0) process_ = Fd(raw);
  }
}

// Its descriptors are closed before its namespaces are given up: only the end of the process means that the mounts are
// gone. Reaped when it is our child; else whoever is its parent does that.
task<> ShimLink::await_process_end() {
  if (!process_) co_return;
  asio::posix::stream_descriptor ended(executor_, process_.duplicate().release());
  co_await ended.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
  siginfo_t ignored{};
  ::waitid(P_PIDFD, static_cast<id_t>(process_.get()), &ignored, WEXITED | WNOHANG);
}

task<> ShimLink::until(std::function<bool()> done) {
  auto self = shared_from_this();
  while (!done() && !gone_ && !closed_) {
    boost::system::error_code failed;
    co_await changed_.async_wait(asio::redirect_error(asio::use_awaitable, failed));
    auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) throw Error(ErrorKind::cancelled, "cancelled");
  }
  if (closed_ && !done()) throw Error(ErrorKind::cancelled, "the runtime is closing");
}

task<> ShimLink::until(shim::State state) {
  std::function<bool()> done = [this, state] { return reached(state); };
  co_await until(std::move(done));
}

task<> ShimLink::until_gone() {
  std::function<bool()> done = [this] { return gone_; };
  co_await until(std::move(done));
}

task<> ShimLink::require(shim::State state) {
  co_await until(state);
  if (reached(state)) co_return;
  if (failure_) throw *failure_;
  throw Error(ErrorKind::unavailable, "the container's shim ended unexpectedly");
}

void ShimLink::tell(shim::Message type, const std::string& payload) {
  if (gone_ || closed_ || !control_.try_send(type, payload))
    throw Error(ErrorKind::unavailable, "the container's shim does not answer");
}

void ShimLink::kill() const {
  if (process_) ::syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0);
}

}  // namespace gantry::runtime
