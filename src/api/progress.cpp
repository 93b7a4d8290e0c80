#include "progress.h"

#include "gantry/base/json.h"

namespace gantry::api {
namespace {

std::string line_of(std::string_view key, boost::json::value value) {
  boost::json::object line;
  line.emplace(key, std::move(value));
  return boost::json::serialize(line) + "\n";
}

// Steps may be told from a worker thread, and by work that outlives the request.
TellStep teller(std::shared_ptr<LineQueue> queue, asio::any_io_executor executor) {
  return [queue, executor](boost::json::value step) {
    auto line = line_of("step", std::move(step));
    asio::dispatch(executor, [queue, line = std::move(line)]() mutable { queue->push(std::move(line)); });
  };
}

task<> run_work(task<boost::json::value> work, std::shared_ptr<LineQueue> queue,
                gantry::detail::Outcome<boost::json::value>* outcome) {
  co_await gantry::detail::settle<boost::json::value>(std::move(work), outcome);
  // Steps posted by worker threads before the work ended are ahead of this one in the executor's queue.
  co_await asio::post(asio::use_awaitable);
  queue->close();
}

task<> write_lines(http::Exchange* exchange, std::shared_ptr<LineQueue> queue) {
  while (true) {
    auto lines = co_await queue->take();
    if (lines.empty()) co_return;
    if (!exchange->answered()) co_await exchange->start_stream(200, std::string(http::kNdjson));
    co_await exchange->write(std::move(lines));
  }
}

}  // namespace

void LineQueue::push(std::string line) {
  if (closed_) return;
  if (lines_.size() + line.size() > limit_) {
    ++skipped_;
    return;
  }
  if (skipped_ > 0) lines_ += line_of("skipped", std::exchange(skipped_, 0));
  lines_ += line;
  wake();
}

void LineQueue::close() {
  closed_ = true;
  wake();
}

void LineQueue::wake() {
  if (auto waiting = std::exchange(waiting_, nullptr)) waiting->set();
}

task<std::string> LineQueue::take() {
  while (lines_.empty() && skipped_ == 0 && !closed_) {
    auto event = std::make_shared<Event>(executor_);
    waiting_ = event;
    co_await event->wait();
  }
  if (skipped_ > 0) lines_ += line_of("skipped", std::exchange(skipped_, 0));
  co_return std::exchange(lines_, {});
}

task<> stream_progress(http::Exchange& exchange, ProgressWork work) {
  using namespace asio::experimental::awaitable_operators;
  auto executor = co_await asio::this_coro::executor;
  auto queue = std::make_shared<LineQueue>(executor);
  gantry::detail::Outcome<boost::json::value> outcome;
  co_await (run_work(work(teller(queue, executor)), queue, &outcome) && write_lines(&exchange, queue));
  if (outcome.failure) std::rethrow_exception(outcome.failure);
  if (!exchange.answered()) co_await exchange.start_stream(200, std::string(http::kNdjson));
  co_await exchange.write(line_of("result", std::move(*outcome.value)));
}

}  // namespace gantry::api
