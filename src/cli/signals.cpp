#include "signals.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

#include "terminal.h"

namespace gantry::cli {
namespace {

constexpr std::array kWatched{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};
constexpr int kInterrupted = 128 + SIGINT;

std::atomic<int> write_end{-1};
std::atomic<int> interrupts{0};
std::atomic<bool> forwarding{false};

void on_signal(int number) {
  int saved = errno;
  if (number == SIGINT && !forwarding && interrupts.fetch_add(1) > 0) {
    restore_terminal();
    ::_exit(kInterrupted);
  }
  auto byte = static_cast<unsigned char>(number);
  // A full pipe already holds more signals than anybody waits for.
  [[maybe_unused]] auto written = ::write(write_end, &byte, 1);
  errno = saved;
}

void install(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigfillset(&action.sa_mask);
  ::sigaction(number, &action, nullptr);
}

}  // namespace

Signals::Signals(asio::any_io_executor executor) : pipe_(std::move(executor)) {
  auto pipe = make_pipe();
  ::fcntl(pipe.write.get(), F_SETFL, O_NONBLOCK);
  write_ = std::move(pipe.write);
  write_end = write_.get();
  interrupts = 0;
  forwarding = false;
  pipe_.assign(pipe.read.release());
  for (int number : kWatched) install(number, on_signal);
  install(SIGPIPE, SIG_IGN);
}

Signals::~Signals() {
  for (int number : kWatched) install(number, SIG_DFL);
  write_end = -1;
}

task<int> Signals::next() {
  unsigned char number = 0;
  co_await pipe_.async_read_some(asio::buffer(&number, 1), asio::use_awaitable);
  co_return number;
}

void Signals::forward_all() { forwarding = true; }

}  // namespace gantry::cli
