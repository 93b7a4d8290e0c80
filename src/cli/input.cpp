#include "input.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

namespace gantry::cli {

SharedInput::SharedInput(asio::any_io_executor executor, int fd) : fd_(fd), epoll_(std::move(executor)) {
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) throw_errno("epoll_create1");
  epoll_event event{};
  event.events = EPOLLIN;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0) {
    pollable_ = true;
    epoll_.assign(epoll.release());
  } else if (errno != EPERM && errno != EBADF) {
    throw_errno("watching standard input");
  }
}

task<> SharedInput::wait() {
  pollfd ready{fd_, POLLIN, 0};
  while (pollable_) {
    // Also without a timeout poll fails with EINTR when a signal is pending: nothing is known then, and a read would
    // block.
    int count = ::poll(&ready, 1, 0);
    if (count > 0) co_return;
    if (count == 0) co_await epoll_.async_wait(asio::posix::descriptor_base::wait_read, asio::use_awaitable);
    if (count < 0 && errno != EINTR) throw_errno("polling standard input");
  }
}

task<std::string> SharedInput::read() {
  std::string buffer(32768, '\0');
  for (;;) {
    co_await wait();
    auto count = ::read(fd_, buffer.data(), buffer.size());
    if (count >= 0) {
      buffer.resize(static_cast<std::size_t>(count));
      co_return buffer;
    }
    // EIO: the terminal hung up, or we are in the background without a way to be stopped.
    if (errno == EBADF || errno == EIO) co_return std::string();
    if (errno != EINTR && errno != EAGAIN) throw_errno("reading standard input");
  }
}

}  // namespace gantry::cli
