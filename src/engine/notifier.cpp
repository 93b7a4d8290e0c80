#include "notifier.h"

namespace gantry::engine {

void Notifier::notify() {
  ++version_;
  for (auto* timer : waiting_) timer->cancel();
}

task<> Notifier::wait(std::optional<SteadyTime> deadline) {
  asio::steady_timer timer(executor_, deadline.value_or(SteadyTime::max()));
  struct Listed {
    std::vector<asio::steady_timer*>& list;
    asio::steady_timer* timer;
    ~Listed() { std::erase(list, timer); }
  };
  waiting_.push_back(&timer);
  Listed listed{waiting_, &timer};
  boost::system::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) throw Error(ErrorKind::cancelled, "cancelled");
}

}  // namespace gantry::engine
