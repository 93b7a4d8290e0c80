#pragma once

#include "gantry/base/async.h"
#include "gantry/base/fd.h"

namespace gantry::cli {

/// Signals as values on the executor. The first SIGINT or SIGTERM arrives here; a second SIGINT, with the first not
/// taken over by `forward_all`, restores the terminal and ends the program at once, whatever it is doing.
/// One object at a time.
class Signals {
 public:
  explicit Signals(asio::any_io_executor executor);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

  /// The next SIGINT, SIGTERM, SIGHUP, SIGQUIT or SIGWINCH.
  task<int> next();
  /// From now on a signal is meant for the container: the second SIGINT is delivered like the first.
  void forward_all();

 private:
  asio::posix::stream_descriptor pipe_;
  Fd write_;
};

}  // namespace gantry::cli
