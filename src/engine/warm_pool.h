#pragma once

#include <vector>

#include "gantry/base/async.h"
#include "gantry/network/network_manager.h"
#include "gantry/runtime/runtime.h"

namespace gantry::engine {

/// What a start would wait for and can be made ahead: a shim in namespaces of its own, with a link into its network.
struct Warm {
  std::shared_ptr<runtime::Standby> standby;
  std::optional<network::WarmLink> link;
};

/// A few of them, made again in the background whenever one was taken. The first start fills it, so that a daemon nobody
/// uses holds nothing. Control thread.
class WarmPool {
 public:
  static constexpr std::size_t kReady = 6;

  WarmPool(asio::any_io_executor executor, runtime::Runtime& runtime, network::NetworkManager& networks)
      : runtime_(runtime), networks_(networks), background_(std::move(executor)) {}

  /// Empty when there is none just now.
  std::optional<Warm> take();
  /// Makes what is missing. Not on the path of a start.
  void refill();
  task<> close();

 private:
  task<> fill();

  runtime::Runtime& runtime_;
  network::NetworkManager& networks_;
  Scope background_;
  std::vector<Warm> ready_;
  bool filling_ = false;
  bool closed_ = false;
};

}  // namespace gantry::engine
