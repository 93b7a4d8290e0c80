#include "sweeper.h"

#include <algorithm>

#include "conntrack.h"
#include "gantry/base/log.h"
#include "links.h"

namespace gantry::network {
namespace {

using Clock = std::chrono::steady_clock;
// The kernel takes a namespace apart within 4 to 70 ms, longer when many end at once, and its links with it.
constexpr auto kTimeToGo = std::chrono::milliseconds(150);
// To list tracked flows it goes through a table of a quarter of a million places, which takes a processor 12 ms:
// seldom.
constexpr auto kBetween = std::chrono::milliseconds(850);

}  // namespace

Sweeper::Sweeper(asio::any_io_executor executor, WorkerPool& pool) : pool_(pool), scope_(executor), alarm_(executor) {}

// Once closed, what is left goes with its namespace, or is swept by the next start of the daemon.
void Sweeper::add(std::string veth, std::vector<Address> addresses) {
  if (scope_.closing()) return;
  for (const auto& address : addresses) busy_.insert(address);
  waiting_.push_back({std::move(veth), std::move(addresses), Clock::now() + kTimeToGo + kBetween});
  if (std::exchange(running_, true)) return;
  empty_ = std::make_shared<Event>(scope_.executor());
  scope_.spawn("removing links", run());
}

// Those that come soon go along, so that a burst of ends makes few sweeps.
std::vector<Sweeper::Sweep> Sweeper::due(Clock::time_point now) {
  auto last = std::find_if(waiting_.begin(), waiting_.end(),
                           [&](const Sweep& sweep) { return hurried_ == 0 && sweep.due > now + kBetween; });
  std::vector<Sweep> out(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(last));
  waiting_.erase(waiting_.begin(), last);
  return out;
}

task<> Sweeper::work_off(std::vector<Sweep> batch) {
  std::vector<std::string> names;
  std::vector<Address> addresses;
  for (const auto& sweep : batch) {
    names.push_back(sweep.veth);
    addresses.insert(addresses.end(), sweep.addresses.begin(), sweep.addresses.end());
  }
  auto sweep = [names, addresses] {
    remove_links(names);
    if (!addresses.empty()) forget_udp_flows(addresses);
  };
  try {
    co_await pool_.run(std::move(sweep));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) throw;
    log::warn("removing links of containers: {}", error.message());
  }
  for (const auto& address : addresses) busy_.erase(busy_.find(address));
}

task<> Sweeper::run() {
  while (!waiting_.empty()) {
    if (hurried_ == 0) {
      alarm_.expires_at(waiting_.front().due);
      boost::system::error_code rung;
      co_await alarm_.async_wait(asio::redirect_error(asio::use_awaitable, rung));
    }
    auto batch = due(Clock::now());
    under_way_ = batch.size();
    if (!batch.empty()) co_await work_off(std::move(batch));
    under_way_ = 0;
  }
  running_ = false;
  empty_->set();
}

task<> Sweeper::settled() {
  struct Hurry {
    int& count;
    ~Hurry() { --count; }
  };
  ++hurried_;
  Hurry hurry{hurried_};
  while (running_) {
    alarm_.cancel();
    auto empty = empty_;
    co_await empty->wait();
  }
}

task<> Sweeper::close() {
  co_await settled();
  co_await scope_.close();
}

}  // namespace gantry::network
