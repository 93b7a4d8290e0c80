#pragma once

#include <memory>

#include "gantry/base/async.h"
#include "gantry/base/stream.h"

namespace gantry::engine {

/// Where a session for a container that does not run yet waits for it: `start` binds it after the container was made
/// and before its program is executed, so that no byte is lost.
class PendingAttach {
 public:
  explicit PendingAttach(asio::any_io_executor executor) : ready_(std::move(executor)) {}
  void bind(std::unique_ptr<StdioSession> inner);
  /// It will not run: readers get the end.
  void end();
  /// The bound session, or nullptr when it ended.
  task<StdioSession*> wait();

 private:
  gantry::Event ready_;
  std::unique_ptr<StdioSession> inner_;
};

std::unique_ptr<StdioSession> make_session(std::shared_ptr<PendingAttach> pending);

}  // namespace gantry::engine
