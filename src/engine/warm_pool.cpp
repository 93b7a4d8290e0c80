#include "warm_pool.h"

#include <algorithm>

#include "gantry/base/files.h"
#include "gantry/base/log.h"
#include "id_range.h"

namespace gantry::engine {

std::optional<Warm> WarmPool::take() {
  while (!ready_.empty()) {
    auto out = std::move(ready_.back());
    ready_.pop_back();
    if (out.standby->alive() && out.mounts == mounts_.generation()) return out;
    discard(std::move(out));
  }
  return std::nullopt;
}

void WarmPool::discard(Warm warm) {
  networks_.discard(std::move(*warm.link));
  spare(std::move(warm.directory));
}

void WarmPool::spare(std::filesystem::path directory) {
  if (!directory.empty() && std::filesystem::exists(directory)) spare_.push_back(std::move(directory));
}

void WarmPool::refill() {
  if (closed_ || !runtime_.launches_natively()) return;
  auto wanted = kReady - std::min(kReady, ready_.size() + makers_at_work_);
  // Counted before, since one that fails at once has ended when `spawn` returns.
  for (auto more = std::min(kMakers - makers_at_work_, wanted); more > 0; --more) {
    ++makers_at_work_;
    background_.spawn("warm pool", fill());
  }
}

// Counted as one that is ready as long as it is at work.
task<> WarmPool::fill() {
  std::exception_ptr failure;
  try {
    while (!closed_ && ready_.size() + makers_at_work_ <= kReady) ready_.push_back(co_await make());
  } catch (...) {
    failure = std::current_exception();
  }
  --makers_at_work_;
  // Starts go on without: they make their own, and tell the same error to whoever asked.
  if (failure && !is_cancellation(failure)) log::warn("warm pool: {}", to_error(failure).message());
}

task<Warm> WarmPool::make() {
  Warm warm;
  warm.mounts = mounts_.generation();
  warm.id_slot = std::make_shared<HeldSlot>(slots_, makers_.free_slot());
  warm.standby = co_await runtime_.make_standby(id_range(warm.id_slot->number()));
  Fd netns = warm.standby->netns().duplicate();
  auto link = co_await networks_.prepare_link(std::move(netns));
  warm.link.emplace(std::move(link));
  if (!spare_.empty()) {
    warm.directory = std::move(spare_.back());
    spare_.pop_back();
  } else {
    auto make_directories = makers_.make_directories;
    warm.directory = co_await pool_.run(std::move(make_directories));
  }
  co_return warm;
}

task<> WarmPool::close() {
  closed_ = true;
  co_await background_.close();
  for (auto& warm : std::exchange(ready_, {})) {
    if (warm.link) networks_.discard(std::move(*warm.link));
    spare(std::move(warm.directory));
  }
  for (const auto& directory : std::exchange(spare_, {})) remove_tree(directory);
}

}  // namespace gantry::engine
