#include "event_log.h"

#include <gtest/gtest.h>

#include "gantry/base/files.h"
#include "gantry/engine/engine.h"

namespace gantry::engine {
namespace {

class EventLogTest : public testing::Test {
 protected:
  Event made(std::string action) { return {.type = "container", .action = std::move(action)}; }
  std::shared_ptr<EventLog> open() { return std::make_shared<EventLog>(io_.get_executor(), database_); }

  std::vector<Event> past(EventLog& log) {
    std::vector<Event> out;
    auto collect = [](std::vector<Event>* into, Event event) -> task<> {
      into->push_back(std::move(event));
      co_return;
    };
    auto sink = [collect, &out](Event event) { return collect(&out, std::move(event)); };
    asio::co_spawn(io_, log.read(std::nullopt, false, sink), asio::detached);
    io_.restart();
    io_.run();
    return out;
  }

  TemporaryDirectory directory_{"/tmp", "gantry-events-"};
  store::Database database_{directory_.path() / "db", {schema()}};
  asio::io_context io_;
};

TEST_F(EventLogTest, KeepsOrderAndNumbersAcrossARestart) {
  auto log = open();
  log->publish(made("a"));
  log->publish(made("b"));
  log->transaction({made("c")}, [](store::Transaction&) {});
  auto again = open();
  again->publish(made("d"));
  auto events = past(*again);
  ASSERT_EQ(events.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(events[i].sequence, static_cast<std::int64_t>(i + 1));
  EXPECT_EQ(events[0].action, "a");
  EXPECT_EQ(events[3].action, "d");
}

TEST_F(EventLogTest, AFailedTransactionLeavesNoTrace) {
  auto log = open();
  auto fail = [](store::Transaction&) { throw Error(ErrorKind::internal, "no"); };
  EXPECT_THROW(log->transaction({made("lost")}, fail), Error);
  log->transaction({made("kept")}, [](store::Transaction&) {});
  auto events = past(*log);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].sequence, 1);
}

TEST_F(EventLogTest, IsBoundedAndTellsAReaderThatFellBehind) {
  auto log = open();
  log->publish(made("first"));
  std::exception_ptr failure;
  auto slow = [this, log = log.get()](Event) -> task<> {
    co_await sleep_for(std::chrono::milliseconds(1));
    for (int i = 0; i < 11000; ++i) log->publish(made("storm"));
    log->flush();
  };
  std::function<task<>(Event)> sink = slow;
  asio::co_spawn(io_, log->read(Timestamp{}, true, sink), [&](std::exception_ptr thrown) { failure = thrown; });
  io_.run();
  ASSERT_TRUE(failure);
  EXPECT_EQ(to_error(failure).kind(), ErrorKind::exhausted);
  EXPECT_LE(past(*log).size(), static_cast<std::size_t>(kKeptEvents) + 256);
}

TEST_F(EventLogTest, CloseEndsFollowers) {
  auto log = open();
  std::exception_ptr failure;
  std::function<task<>(Event)> sink = [](Event) -> task<> { co_return; };
  asio::co_spawn(io_, log->read(std::nullopt, true, sink), [&](std::exception_ptr thrown) { failure = thrown; });
  io_.poll();
  log->close();
  io_.restart();
  io_.run();
  ASSERT_TRUE(failure);
  EXPECT_TRUE(is_cancellation(failure));
}

}  // namespace
}  // namespace gantry::engine
