#include "change_watch.h"

namespace gantry::platform {

task<> ChangeWatch::run() {
  std::function<task<>(engine::Event)> wake = [this](engine::Event) -> task<> {
    for (auto& waiter : std::exchange(waiting_, {})) waiter->set();
    co_return;
  };
  co_await engine_.events(std::nullopt, true, std::move(wake));
}

task<> ChangeWatch::until(std::string what, Duration limit, std::function<bool()> reached) {
  if (reached()) co_return;
  co_await with_timeout<void>(std::move(what), limit, wait_for_change(std::move(reached)));
}

task<> ChangeWatch::wait_for_change(std::function<bool()> reached) {
  while (!reached()) {
    auto change = std::make_shared<Event>(executor_);
    waiting_.push_back(change);
    co_await change->wait();
  }
}

}  // namespace gantry::platform
