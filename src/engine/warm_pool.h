#pragma once

#include <filesystem>
#include <functional>
#include <set>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/network/network_manager.h"
#include "gantry/runtime/runtime.h"
#include "mount_watch.h"

namespace gantry::engine {

/// A range of ids that is taken as long as this lives; afterwards it is whose row has it.
class HeldSlot {
 public:
  using Slots = std::multiset<std::int64_t>;
  HeldSlot(std::shared_ptr<Slots> slots, std::int64_t slot) : slots_(std::move(slots)), place_(slots_->insert(slot)) {}
  HeldSlot(const HeldSlot&) = delete;
  HeldSlot& operator=(const HeldSlot&) = delete;
  ~HeldSlot() { slots_->erase(place_); }
  std::int64_t number() const { return *place_; }

 private:
  std::shared_ptr<Slots> slots_;
  Slots::iterator place_;
};

/// What a start would wait for and can be made ahead: a shim in namespaces of its own, with a link into its network,
/// and the container's directories.
struct Warm {
  std::shared_ptr<HeldSlot> id_slot;  ///< see id_range.h; the container takes it over
  std::shared_ptr<runtime::Standby> standby;
  std::optional<network::WarmLink> link;
  std::filesystem::path directory;  ///< to be renamed; one that is not needed is removed at the next start of gantryd
  unsigned mounts = 0;              ///< the host's as they were when it was made, see MountWatch
};

/// A few of them, made again in the background whenever one was taken. The first start fills it, so that a daemon
/// nobody uses holds nothing. Control thread.
class WarmPool {
 public:
  static constexpr std::size_t kReady = 6;
  static constexpr std::size_t kMakers = 2;  ///< at a time: starts one after the other take more than one can make

  struct Makers {
    std::function<std::int64_t()> free_slot;                  ///< a range of ids nobody has
    std::function<std::filesystem::path()> make_directories;  ///< on a pool thread
  };
  WarmPool(asio::any_io_executor executor, WorkerPool& pool, runtime::Runtime& runtime,
           network::NetworkManager& networks, Makers makers)
      : pool_(pool),
        runtime_(runtime),
        networks_(networks),
        makers_(std::move(makers)),
        background_(std::move(executor)) {}

  /// Empty when there is none just now.
  std::optional<Warm> take();
  /// The ranges it holds.
  const HeldSlot::Slots& slots() const { return *slots_; }
  /// Directories that were not needed after all.
  void spare(std::filesystem::path directory);
  /// Makes what is missing. Not on the path of a start.
  void refill();
  task<> close();

 private:
  /// One of kMakers.
  task<> fill();
  task<Warm> make();
  void discard(Warm warm);

  WorkerPool& pool_;
  runtime::Runtime& runtime_;
  network::NetworkManager& networks_;
  Makers makers_;
  std::shared_ptr<HeldSlot::Slots> slots_ = std::make_shared<HeldSlot::Slots>();
  Scope background_;
  MountWatch mounts_;
  std::vector<Warm> ready_;
  std::vector<std::filesystem::path> spare_;
  std::size_t makers_at_work_ = 0;
  bool closed_ = false;
};

}  // namespace gantry::engine
