#pragma once

#include <memory>
#include <vector>

#include "gantry/base/async.h"
#include "shim_process.h"

namespace gantry::runtime {

/// A few shims without namespaces, for execs: made again in the background whenever one was taken, from the first time
/// on. Control thread; shared, because what makes them may still be under way when its owner goes.
class StandbyPool : public std::enable_shared_from_this<StandbyPool> {
 public:
  static constexpr std::size_t kReady = 2;

  StandbyPool(asio::any_io_executor executor, WorkerPool& pool, std::shared_ptr<ShimMaker> maker)
      : executor_(std::move(executor)), pool_(pool), maker_(std::move(maker)) {}

  /// None when there is none just now.
  std::shared_ptr<Standby> take();
  void refill();
  void close();

 private:
  task<> fill();

  asio::any_io_executor executor_;
  WorkerPool& pool_;
  std::shared_ptr<ShimMaker> maker_;
  std::vector<std::shared_ptr<Standby>> ready_;
  bool filling_ = false;
  bool closed_ = false;
};

}  // namespace gantry::runtime
