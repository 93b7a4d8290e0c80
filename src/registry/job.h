#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/registry/registry.h"
#include "stop_flag.h"

namespace gantry::registry {

/// Everybody who wants to hear about one transfer. Who comes later first hears where everything is. Thread-safe.
class Listeners {
 public:
  std::size_t add(ProgressSink sink) {
    std::lock_guard lock(mutex_);
    for (const auto& id : order_)
      if (sink) sink(last_.at(id));
    sinks_.emplace(++next_, std::move(sink));
    return next_;
  }
  void remove(std::size_t listener) {
    std::lock_guard lock(mutex_);
    sinks_.erase(listener);
  }
  void tell(const Progress& progress) {
    std::lock_guard lock(mutex_);
    if (last_.insert_or_assign(progress.id, progress).second) order_.push_back(progress.id);
    for (const auto& [listener, sink] : sinks_)
      if (sink) sink(progress);
  }

 private:
  std::mutex mutex_;
  std::size_t next_ = 0;
  std::map<std::size_t, ProgressSink> sinks_;
  std::map<std::string, Progress> last_;
  std::vector<std::string> order_;
};

/// What runs on a thread of its own, for as many as wait for it.
struct AnyJob {
  explicit AnyJob(asio::any_io_executor executor) : done(std::move(executor)) {}
  virtual ~AnyJob() = default;
  StopFlag stop;
  Listeners listeners;
  Event done;
  std::size_t waiting = 0;
  std::thread thread;
};

template <class R>
struct Job : AnyJob {
  using AnyJob::AnyJob;
  gantry::detail::Outcome<R> outcome;
};

}  // namespace gantry::registry
