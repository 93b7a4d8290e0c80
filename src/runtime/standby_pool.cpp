#include "standby_pool.h"

#include "gantry/base/log.h"

namespace gantry::runtime {

std::shared_ptr<Standby> StandbyPool::take() {
  while (!ready_.empty()) {
    auto out = std::move(ready_.back());
    ready_.pop_back();
    if (out->alive()) return out;
  }
  return nullptr;
}

void StandbyPool::refill() {
  if (filling_ || closed_ || ready_.size() >= kReady) return;
  filling_ = true;
  asio::co_spawn(executor_, fill(), [self = shared_from_this()](std::exception_ptr failure) {
    self->filling_ = false;
    if (failure && !is_cancellation(failure)) log::warn("standby shims: {}", to_error(failure).message());
  });
}

task<> StandbyPool::fill() {
  while (!closed_ && ready_.size() < kReady) {
    auto start = [maker = maker_] { return std::shared_ptr<Standby>(start_plain_standby(*maker)); };
    auto standby = co_await pool_.run(std::move(start));
    if (!closed_) ready_.push_back(std::move(standby));
  }
}

void StandbyPool::close() {
  closed_ = true;
  ready_.clear();
}

}  // namespace gantry::runtime
