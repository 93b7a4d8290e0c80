#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "gantry/base/async.h"

namespace gantry::engine {

/// Calls `changed` on the executor when a file in a directory grows, appears or is renamed (inotify). Ends with the
/// object.
class DirWatch {
 public:
  DirWatch(asio::any_io_executor executor, const std::filesystem::path& directory, std::function<void()> changed);
  ~DirWatch();
  DirWatch(const DirWatch&) = delete;
  DirWatch& operator=(const DirWatch&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace gantry::engine
