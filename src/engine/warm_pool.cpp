#include "warm_pool.h"

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
  if (filling_ || closed_ || ready_.size() >= kReady || !runtime_.launches_natively()) return;
  filling_ = true;
  background_.spawn("warm pool", fill());
}

task<> WarmPool::fill() {
  std::exception_ptr failure;
  try {
    while (!closed_ && ready_.size() < kReady) {
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
        auto make = makers_.make_directories;
        warm.directory = co_await pool_.run(std::move(make));
      }
      ready_.push_back(std::move(warm));
    }
  } catch (...) {
    failure = std::current_exception();
  }
  filling_ = false;
  // Starts go on without: they make their own, and tell the same error to whoever asked.
  if (failure && !is_cancellation(failure)) log::warn("warm pool: {}", to_error(failure).message());
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
