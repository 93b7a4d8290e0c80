#include "gantry/base/async.h"

#include <gtest/gtest.h>

namespace {
using namespace gantry;
using namespace std::chrono_literals;

template <class T>
T run(asio::io_context& context, task<T> work) {
  auto future = asio::co_spawn(context, std::move(work), asio::use_future);
  context.run();
  context.restart();
  return future.get();
}

task<int> answer() {
  co_await sleep_for(1ms);
  co_return 42;
}

task<> forever() { co_await sleep_for(1h); }

TEST(Async, TimeoutLetsAQuickTaskThroughAndStopsASlowOne) {
  asio::io_context context;
  EXPECT_EQ(run(context, with_timeout<int>("answer", 1s, answer())), 42);
  try {
    run(context, with_timeout<void>("ask forever", 5ms, forever()));
    FAIL() << "no timeout";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::timeout);
    EXPECT_EQ(error.message(), "ask forever: no answer within 5ms");
  }
}

task<> close_scope(Scope* scope) {
  co_await sleep_for(1ms);
  co_await scope->close();
}

TEST(Async, ScopeStopsAndAwaitsItsTasks) {
  asio::io_context context;
  Scope scope(context.get_executor());
  for (int i = 0; i < 10; ++i) scope.spawn("sleeper", forever());
  EXPECT_EQ(scope.size(), 10u);
  run(context, close_scope(&scope));
  EXPECT_EQ(scope.size(), 0u);
}

task<> hold(AsyncMutex* mutex, std::vector<int>* order, int number) {
  auto guard = co_await mutex->lock();
  order->push_back(number);
  co_await sleep_for(1ms);
  order->push_back(number);
}

task<> hold_permit(Permits* permits, std::vector<int>* order, int number) {
  auto permit = co_await permits->acquire();
  order->push_back(number);
  co_await sleep_for(1ms);
  permit.give_back();
  co_await sleep_for(1ms);
  order->push_back(-number);
}

task<> cancelled_wait(Permits* permits) {
  try {
    co_await with_timeout<void>("wait", 1ms,
                                [](Permits* of) -> task<> { auto permit = co_await of->acquire(); }(permits));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::timeout);
  }
}

TEST(Async, PermitsAreGivenInOrderAndComeBackFromWhoeverStopsWaiting) {
  asio::io_context context;
  Permits permits(context.get_executor(), 2);
  std::vector<int> order;
  for (int number : {1, 2, 3, 4}) asio::co_spawn(context, hold_permit(&permits, &order, number), asio::detached);
  context.poll();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  for (int i = 0; i < 5; ++i) asio::co_spawn(context, cancelled_wait(&permits), asio::detached);
  context.run();
  context.restart();
  EXPECT_EQ((std::vector<int>{order[2], order[3]}), (std::vector<int>{3, 4}));
  EXPECT_EQ(order.size(), 8u);
  order.clear();
  for (int number : {5, 6, 7}) asio::co_spawn(context, hold_permit(&permits, &order, number), asio::detached);
  context.poll();
  EXPECT_EQ(order, (std::vector<int>{5, 6}));
  context.run();
}

TEST(Async, MutexServesOneAtATimeInOrder) {
  asio::io_context context;
  AsyncMutex mutex(context.get_executor());
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) asio::co_spawn(context, hold(&mutex, &order, i), asio::detached);
  context.run();
  EXPECT_EQ(order, (std::vector<int>{0, 0, 1, 1, 2, 2}));
}

task<> count(int* done, bool fail) {
  co_await sleep_for(1ms);
  ++*done;
  if (fail) throw Error(ErrorKind::conflict, "one of them failed");
}

TEST(Async, AllWaitsForEveryTaskAndPassesTheFailureOn) {
  asio::io_context context;
  int done = 0;
  std::vector<task<>> work;
  for (int i = 0; i < 5; ++i) work.push_back(count(&done, i == 0));
  EXPECT_THROW(run(context, all(std::move(work))), Error);
  EXPECT_EQ(done, 5);
}

TEST(Async, PoolReturnsResultsAndExceptions) {
  asio::io_context context;
  WorkerPool pool(1);
  EXPECT_EQ(run(context, pool.run([] { return std::string("done"); })), "done");
  EXPECT_THROW(run(context, pool.run([]() -> int { throw Error(ErrorKind::conflict, "no"); })), Error);
}

}  // namespace
