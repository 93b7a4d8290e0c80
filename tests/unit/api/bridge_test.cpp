#include "stdio_bridge.h"

#include <deque>

#include "fake_exchange.h"

namespace {
using namespace gantry;
using namespace gantry::api;
using namespace std::chrono_literals;

/// Gives `input`, then the end, and remembers what it was told.
class FakeClient : public http::ByteStream {
 public:
  task<std::size_t> read_some(std::span<char> buffer) override {
    if (input.empty()) co_return 0;
    auto text = input.front();
    input.pop_front();
    text.copy(buffer.data(), buffer.size());
    co_return text.size();
  }
  task<> write(std::string data) override {
    output += data;
    co_return;
  }
  void shutdown_write() override { ended = true; }
  void close() override {}

  std::deque<std::string> input;
  std::string output;
  bool ended = false;
};

/// Echoes its input when that has ended.
class FakeProgram : public StdioSession {
 public:
  explicit FakeProgram(asio::any_io_executor executor) : input_ended(std::move(executor)) {}
  task<std::optional<Chunk>> read() override {
    co_await input_ended.wait();
    if (said++ > 0) co_return std::nullopt;
    Chunk chunk{StdStream::err, "got " + input};
    co_return chunk;
  }
  task<> write(std::string data) override {
    if (broken) throw Error(ErrorKind::unavailable, "the program does not read");
    input += data;
    co_return;
  }
  task<> close_input() override {
    input_ended.set();
    co_return;
  }

  Event input_ended;
  std::string input;
  int said = 0;
  bool broken = false;
};

TEST(Bridge, CarriesBothDirectionsAndTheirEnds) {
  for (bool framed : {true, false}) {
    asio::io_context context;
    auto client = std::make_shared<FakeClient>();
    client->input = {"hello ", "world"};
    auto program = std::make_shared<FakeProgram>(context.get_executor());
    run(context, bridge(client, program, framed));
    auto expected = std::string("got hello world");
    EXPECT_EQ(client->output, framed ? http::frame(StdStream::err, expected) : expected);
    EXPECT_TRUE(client->ended);
  }
}

task<> end_later(std::shared_ptr<FakeProgram> program) {
  co_await sleep_for(5ms);
  program->input_ended.set();
}

TEST(Bridge, AProgramThatDoesNotReadIsStillHeard) {
  asio::io_context context;
  auto client = std::make_shared<FakeClient>();
  client->input = {"hello"};
  auto program = std::make_shared<FakeProgram>(context.get_executor());
  program->broken = true;
  asio::co_spawn(context, end_later(program), asio::detached);
  run(context, bridge(client, program, false));
  EXPECT_EQ(client->output, "got ");
}

}  // namespace
