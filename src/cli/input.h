#pragma once

#include <optional>
#include <string>

#include "gantry/base/async.h"
#include "gantry/base/fd.h"

namespace gantry::cli {

/// Reads a descriptor that we share with other programs (standard input) without changing its flags: O_NONBLOCK would
/// be seen by the shell that started us. Readiness comes from an epoll descriptor of our own.
class SharedInput {
 public:
  SharedInput(asio::any_io_executor executor, int fd);
  /// The next bytes; empty at the end.
  task<std::string> read();

 private:
  task<> wait();
  int fd_;
  asio::posix::stream_descriptor epoll_;
  bool pollable_ = false;  ///< regular files are not: they are always ready
};

}  // namespace gantry::cli
