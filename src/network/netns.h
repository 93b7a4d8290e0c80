#pragma once

#include <utility>

#include "gantry/base/fd.h"

namespace gantry::network {

/// Moves the calling thread into another network namespace and back. A thread that cannot go back would work on the
/// wrong network from then on, so the process is aborted in that case.
class NetnsGuard {
 public:
  explicit NetnsGuard(int netns);
  NetnsGuard(const NetnsGuard&) = delete;
  NetnsGuard& operator=(const NetnsGuard&) = delete;
  ~NetnsGuard();

 private:
  Fd home_;
};

/// Calls `function` on this thread inside the namespace. For pool threads only.
template <class F>
auto in_netns(int netns, F&& function) {
  NetnsGuard guard(netns);
  return std::forward<F>(function)();
}

}  // namespace gantry::network
