#include "message_stream.h"

namespace gantry::api::docker {
namespace {

namespace bj = boost::json;

std::string line_of(const bj::object& message) { return bj::serialize(message) + "\r\n"; }

// Messages may be told from a worker thread, and by work that outlives the request.
Tell teller(std::shared_ptr<LineQueue> queue, asio::any_io_executor executor) {
  return [queue, executor](bj::object message) {
    auto line = line_of(message);
    asio::dispatch(executor, [queue, line = std::move(line)]() mutable { queue->push(std::move(line)); });
  };
}

bj::object failure_message(std::exception_ptr failure) {
  bj::object detail;
  std::string text;
  try {
    std::rethrow_exception(failure);
  } catch (const CodedError& error) {
    text = error.message();
    detail["code"] = error.code();
  } catch (...) {
    auto error = to_error(failure);
    text = error.message();
    for (const auto& finding : error.findings())
      if (finding.message != error.message()) text += "\n" + finding.message;
    if (!error.fix().empty()) text += " (" + error.fix() + ")";
  }
  detail["message"] = text;
  return {{"errorDetail", std::move(detail)}, {"error", text}};
}

}  // namespace

bj::object stream_message(std::string text) {
  bj::object out;
  out["stream"] = std::move(text);
  return out;
}

task<> stream_messages(http::Exchange& exchange, MessageWork work) {
  using namespace asio::experimental::awaitable_operators;
  auto executor = co_await asio::this_coro::executor;
  auto queue = std::make_shared<LineQueue>(executor);
  gantry::detail::Outcome<void> outcome;
  auto working = run_into(work(teller(queue, executor)), queue, &outcome);
  auto writing = write_lines(&exchange, queue, std::string(http::kJson));
  co_await (std::move(working) && std::move(writing));
  if (!outcome.failure) {
    if (!exchange.answered()) co_await exchange.start_stream(200, std::string(http::kJson));
    co_return;
  }
  if (!exchange.answered()) std::rethrow_exception(outcome.failure);
  auto last = line_of(failure_message(outcome.failure));
  co_await exchange.write(std::move(last));
}

}  // namespace gantry::api::docker
