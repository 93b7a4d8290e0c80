#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/engine/engine.h"

namespace gantry::platform {

/// Lets operations wait for the engine's state without polling: one subscription to its events wakes all waiters.
class ChangeWatch {
 public:
  ChangeWatch(asio::any_io_executor executor, engine::Engine& engine) : executor_(executor), engine_(engine) {}

  /// The subscription; runs until cancelled.
  task<> run();
  /// Returns once `reached` is true; asks again after every event. Error timeout, naming `what`.
  task<> until(std::string what, Duration limit, std::function<bool()> reached);

 private:
  task<> wait_for_change(std::function<bool()> reached);

  asio::any_io_executor executor_;
  engine::Engine& engine_;
  std::vector<std::shared_ptr<Event>> waiting_;
};

}  // namespace gantry::platform
