#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "gantry/base/error.h"

namespace gantry::registry {

/// Asks blocking work to end. Thread-safe.
class StopFlag {
 public:
  void set() {
    std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  bool is_set() const {
    std::lock_guard lock(mutex_);
    return set_;
  }
  void check() const {
    if (is_set()) throw Error(ErrorKind::cancelled, "the transfer was stopped");
  }
  /// Throws when it is set meanwhile.
  void sleep(std::chrono::milliseconds duration) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, duration, [this] { return set_; });
    if (set_) throw Error(ErrorKind::cancelled, "the transfer was stopped");
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

}  // namespace gantry::registry
