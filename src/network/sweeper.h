#pragma once

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "address.h"
#include "gantry/base/async.h"

namespace gantry::network {

/// Takes links away in the background. A link goes with the network namespace its peer is in, which costs nobody
/// anything, so each is given the time that takes; what is left then is removed in one go. (One removal keeps its
/// caller waiting for 30 to 50 ms, and fifty together no longer.) An address whose old link may still stand is `busy`
/// and not to be leased: the new link would have the same hardware address. Control thread only.
class Sweeper {
 public:
  Sweeper(asio::any_io_executor executor, WorkerPool& pool);

  /// Also forgets the UDP flows of these addresses, so that nobody is led to whoever gets them next.
  void add(std::string veth, std::vector<Address> addresses);
  bool busy(const Address& address) const { return busy_.contains(address); }
  std::size_t size() const { return waiting_.size() + under_way_; }
  /// Until everything that was added is gone; nothing is given time any more.
  task<> settled();
  task<> close();

 private:
  struct Sweep {
    std::string veth;
    std::vector<Address> addresses;
    std::chrono::steady_clock::time_point due;
  };
  task<> run();
  task<> work_off(std::vector<Sweep> batch);
  std::vector<Sweep> due(std::chrono::steady_clock::time_point now);

  WorkerPool& pool_;
  Scope scope_;
  asio::steady_timer alarm_;
  std::vector<Sweep> waiting_;  ///< in the order they are due
  std::size_t under_way_ = 0;
  std::multiset<Address> busy_;
  int hurried_ = 0;  ///< how many wait for everything to be gone
  bool running_ = false;
  std::shared_ptr<Event> empty_;
};

}  // namespace gantry::network
