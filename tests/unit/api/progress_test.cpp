#include "progress.h"

#include "fake_exchange.h"
#include "shield.h"

namespace {
using namespace gantry;
using namespace gantry::api;
using namespace std::chrono_literals;

task<boost::json::value> two_steps(TellStep tell) {
  tell("one");
  co_await sleep_for(1ms);
  tell("two");
  co_return boost::json::value("done");
}

TEST(Progress, StreamsStepsThenTheResult) {
  asio::io_context context;
  FakeExchange exchange("PUT", "/");
  run(context, stream_progress(exchange, two_steps));
  EXPECT_EQ(exchange.status, 200);
  EXPECT_EQ(exchange.content_type, http::kNdjson);
  EXPECT_EQ(exchange.answer, "{\"step\":\"one\"}\n{\"step\":\"two\"}\n{\"result\":\"done\"}\n");
}

task<boost::json::value> fails_at_once(TellStep) {
  throw Error(ErrorKind::invalid, "a wrong file");
  co_return boost::json::value();
}

task<boost::json::value> fails_later(TellStep tell) {
  tell("one");
  throw Error(ErrorKind::exhausted, "disk full");
  co_return boost::json::value();
}

TEST(Progress, AFailureBeforeTheFirstStepStillHasAStatus) {
  asio::io_context context;
  FakeExchange early("PUT", "/");
  EXPECT_THROW(run(context, stream_progress(early, fails_at_once)), Error);
  EXPECT_FALSE(early.answered());
  FakeExchange late("PUT", "/");
  EXPECT_THROW(run(context, stream_progress(late, fails_later)), Error);
  EXPECT_EQ(late.answer, "{\"step\":\"one\"}\n");
}

task<boost::json::value> from_threads(WorkerPool* pool, TellStep tell) {
  auto work = [tell] {
    for (int i = 0; i < 100; ++i) tell(i);
  };
  co_await pool->run(work);
  co_return boost::json::value("done");
}

TEST(Progress, StepsFromAWorkerThreadComeBeforeTheResult) {
  asio::io_context context;
  WorkerPool pool(1);
  FakeExchange exchange("PUT", "/");
  auto work = [&pool](TellStep tell) { return from_threads(&pool, std::move(tell)); };
  run(context, stream_progress(exchange, work));
  EXPECT_EQ(std::ranges::count(exchange.answer, '\n'), 101);
  EXPECT_TRUE(exchange.answer.ends_with("{\"step\":99}\n{\"result\":\"done\"}\n"));
}

task<> fill(LineQueue* queue, std::string* first, std::string* second) {
  for (int i = 0; i < 10; ++i) queue->push("0123456789\n");
  *first = co_await queue->take();
  queue->push("next\n");
  queue->close();
  *second = co_await queue->take();
}

TEST(Progress, AFullQueueCountsWhatItLeavesOut) {
  asio::io_context context;
  LineQueue queue(context.get_executor(), 40);
  std::string first;
  std::string second;
  run(context, fill(&queue, &first, &second));
  EXPECT_EQ(first, "0123456789\n0123456789\n0123456789\n{\"skipped\":7}\n");
  EXPECT_EQ(second, "next\n");
}

task<int> slow(bool* finished) {
  co_await sleep_for(20ms);
  *finished = true;
  co_return 7;
}

task<> give_up(Scope* scope, bool* finished) {
  EXPECT_THROW(co_await with_timeout<int>("waiting", 5ms, shield<int>(*scope, "slow", slow(finished))), Error);
  EXPECT_FALSE(*finished);
  while (scope->size() > 0) co_await sleep_for(1ms);
  EXPECT_TRUE(*finished);
  bool again = false;
  auto value = co_await shield<int>(*scope, "slow", slow(&again));
  EXPECT_EQ(value, 7);
  co_await scope->close();
  EXPECT_THROW(co_await shield<int>(*scope, "slow", slow(&again)), Error);
}

TEST(Shield, AChangeIsCarriedThroughWhenNobodyWaits) {
  asio::io_context context;
  Scope scope(context.get_executor());
  bool finished = false;
  run(context, give_up(&scope, &finished));
}

}  // namespace
