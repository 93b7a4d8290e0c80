#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "stop_flag.h"

namespace gantry::registry {

/// Calls `work(0)` ... `work(count - 1)` on at most `threads` threads. The first failure sets `stop`, so that the
/// others end soon, and is thrown when all have.
inline void for_each_at_once(std::size_t count, std::size_t threads, StopFlag& stop,
                             const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  auto run = [&] {
    try {
      for (std::size_t i; (i = next++) < count;) work(i);
    } catch (...) {
      std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      next = count;
      stop.set();
    }
  };
  std::vector<std::thread> running;
  for (std::size_t i = 0; i < std::min(threads, count); ++i) running.emplace_back(run);
  for (auto& thread : running) thread.join();
  if (failure) std::rethrow_exception(failure);
  stop.check();
}

}  // namespace gantry::registry
