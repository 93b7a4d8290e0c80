#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "gantry/base/process.h"
#include "packets.h"

/// The daemon's hold on one running shim (of a container or an exec): its state as far as it has told us, and its end.
namespace gantry::runtime {

class ShimLink : public std::enable_shared_from_this<ShimLink> {
 public:
  /// Connects to the shim whose socket is in `directory`. Error (not_found) when none listens there.
  ShimLink(asio::any_io_executor executor, std::filesystem::path directory);
  /// Starts to listen; ends by itself with the connection. `process`: pidfd of a shim we started.
  void begin(Fd process);
  /// Stops listening. The shim goes on.
  void close();

  /// What a start took, as the shim tells it: empty before `running`.
  const std::string& trace() const { return trace_; }
  const shim::Status& status() const { return status_; }
  /// The shim has ended and been reaped; nothing of it is left in the kernel.
  bool gone() const { return gone_; }
  bool reached(shim::State state) const { return known_ && status_.state >= state; }
  /// Waits until the shim has reached `state` or has gone; what it failed with is thrown, also when it just vanished.
  task<> require(shim::State state);
  /// The same without complaint.
  task<> until(shim::State state);
  task<> until_gone();
  /// A small message. Error (unavailable) when the shim has gone or takes nothing.
  void tell(shim::Message type, const std::string& payload = {});
  /// SIGKILL to the shim itself.
  void kill() const;

 private:
  task<> listen();
  task<> listen_to_end();
  task<> await_process_end();
  void take(const Packet& packet);
  task<> until(std::function<bool()> done);

  asio::any_io_executor executor_;
  std::filesystem::path directory_;
  Packets control_;
  Fd process_;
  asio::steady_timer changed_;
  shim::Status status_;
  std::string trace_;
  bool known_ = false;
  bool gone_ = false;
  bool closed_ = false;
  std::optional<Error> failure_;
};

}  // namespace gantry::runtime
