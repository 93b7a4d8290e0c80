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

task<> write_lines(http::Exchange* exchange, std::shared_ptr<LineQueue> queue, std::string content_type) {
  while (true) {
    auto lines = co_await queue->take();
    if (lines.empty()) co_return;
    if (!exchange->answered()) co_await exchange->start_stream(200, content_type);
    co_await exchange->write(std::move(lines));
  }
}

task<> stream_progress(http::Exchange& exchange, ProgressWork work) {
  using namespace asio::experimental::awaitable_operators;
  auto executor = co_await asio::this_coro::executor;
  auto queue = std::make_shared<LineQueue>(executor);
  gantry::detail::Outcome<boost::json::value> outcome;
  auto working = run_into(work(teller(queue, executor)), queue, &outcome);
  auto writing = write_lines(&exchange, queue, std::string(http::kNdjson));
  co_await (std::move(working) && std::move(writing));
  if (outcome.failure) std::rethrow_exception(outcome.failure);
  if (!exchange.answered()) co_await exchange.start_stream(200, std::string(http::kNdjson));
  co_await exchange.write(line_of("result", std::move(*outcome.value)));
}

}  // namespace gantry::api
