#include <fcntl.h>
#include <gmock/gmock.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include "fake_daemon.h"

namespace gantry::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Plays one container: what comes in goes out again on both streams; at the end of input, or when a signal or
/// `finish` says so, it ends with status 7.
class FakeContainer {
 public:
  FakeContainer(std::optional<FakeDaemon>& owner, bool tty) : owner_(owner), tty_(tty) {
    auto& daemon = *owner;
    daemon.on("POST /v1/run", [this](http::Exchange& exchange) { return run(exchange); });
    daemon.answer("POST /v1/containers/c1/resize", "{}");
    daemon.on("POST /v1/containers/c1/kill", [this](http::Exchange& exchange) { return kill(exchange); });
  }
  /// Ends the daemon first: its handlers work with this object on another thread.
  ~FakeContainer() { owner_.reset(); }
  FakeContainer(const FakeContainer&) = delete;
  FakeContainer& operator=(const FakeContainer&) = delete;

 private:
  task<> run(http::Exchange& exchange) {
    co_await exchange.read_body(1u << 20);
    auto stream = co_await exchange.upgrade("tcp", std::string(http::kNotedStream));
    stream_ = stream;
    auto begin = http::frame(StdStream::note, R"({"id":"c1"})");
    if (tty_) begin += http::frame(StdStream::out, "ready\r\n");
    co_await stream->write(std::move(begin));
    std::string buffer(4096, '\0');
    for (;;) {
      auto count = co_await stream->read_some(std::span<char>(buffer));
      if (count == 0) break;
      auto text = buffer.substr(0, count);
      auto frames = http::frame(StdStream::out, text);
      if (!tty_) frames += http::frame(StdStream::err, "err");
      co_await stream->write(std::move(frames));
    }
    co_await end(stream);
  }
  task<> end(std::shared_ptr<http::ByteStream> stream) {
    co_await stream->write(http::frame(StdStream::note, R"({"exit_code":7,"oom_killed":false})"));
    stream->shutdown_write();
  }
  task<> kill(http::Exchange& exchange) {
    if (auto stream = stream_.lock()) co_await end(stream);
    co_await exchange.respond(204, "", "");
  }

  std::optional<FakeDaemon>& owner_;
  bool tty_;
  std::weak_ptr<http::ByteStream> stream_;  ///< not kept: it must not outlive its daemon
};

TEST_F(ClientTest, RunConnectsTheStreamsAndPassesTheStatusOn) {
  play();
  FakeContainer container(daemon, false);
  auto run = gantry({"run", "-i", "--rm", "image", "cat"}, "input\n");
  EXPECT_EQ(run.status.code, 7);
  EXPECT_EQ(run.out, "input\n");
  EXPECT_EQ(run.err, "err");
  EXPECT_THAT(daemon->seen(), ElementsAre("POST /v1/run"));
}

task<> refuse_to_start(http::Exchange& exchange) {
  co_await exchange.read_body(1u << 20);
  auto stream = co_await exchange.upgrade("tcp", std::string(http::kNotedStream));
  auto failed = http::error_body(Error(ErrorKind::not_found, "no command 'x'"));
  co_await stream->write(http::frame(StdStream::note, R"({"id":"c1"})") + http::frame(StdStream::note, failed));
  stream->shutdown_write();
}

TEST_F(ClientTest, RunTellsWhatCouldNotBeStarted) {
  play();
  daemon->on("POST /v1/run", refuse_to_start);
  auto run = gantry({"run", "--rm", "image", "x"});
  EXPECT_EQ(run.status.code, 127);
  EXPECT_EQ(run.err, "gantry: no command 'x'\n");
  daemon->on("POST /v1/run", [](http::Exchange&) -> task<> { throw Error(ErrorKind::not_found, "no image"); });
  EXPECT_EQ(gantry({"run", "image"}).status.code, 125);
}

TEST_F(ClientTest, SignalsReachTheContainer) {
  play();
  FakeContainer container(daemon, false);
  auto child = spawn(command({"run", "image", "sleep", "100"}));
  ASSERT_TRUE(daemon->wait_for("POST /v1/run"));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  child.signal(SIGTERM);
  EXPECT_TRUE(daemon->wait_for("POST /v1/containers/c1/kill?signal=SIGTERM"));
  EXPECT_EQ(child.wait().code, 7);
}

TEST_F(ClientTest, ATerminalIsNeededForTty) {
  play();
  auto run = gantry({"run", "-it", "image"});
  EXPECT_EQ(run.status.code, 2);
  EXPECT_THAT(run.err, HasSubstr("standard input is not a terminal"));
  EXPECT_TRUE(daemon->seen().empty());
}

/// The client on a terminal of its own.
class TerminalTest : public ClientTest {
 protected:
  Fd master, slave;
  void SetUp() override {
    int ends[2];
    winsize size{40, 100, 0, 0};
    ASSERT_EQ(::openpty(&ends[0], &ends[1], nullptr, nullptr, &size), 0);
    master = Fd(ends[0]);
    slave = Fd(ends[1]);
    ::fcntl(master.get(), F_SETFD, FD_CLOEXEC);
    ::fcntl(slave.get(), F_SETFD, FD_CLOEXEC);
  }
  Child start(std::vector<std::string> arguments) {
    auto on_terminal = command(std::move(arguments));
    on_terminal.descriptors = {{0, slave.get()}, {1, slave.get()}, {2, slave.get()}};
    return spawn(on_terminal);
  }
  bool raw() const {
    termios now{};
    ::tcgetattr(slave.get(), &now);
    return (now.c_lflag & ICANON) == 0;
  }
  void read_until(const std::string& text) {
    std::string got;
    std::array<char, 256> buffer{};
    while (got.find(text) == std::string::npos) {
      auto count = ::read(master.get(), buffer.data(), buffer.size());
      ASSERT_GT(count, 0) << got;
      got.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }
};

TEST_F(TerminalTest, RawWhileItRunsAndCookedAfterwards) {
  play();
  FakeContainer container(daemon, true);
  auto child = start({"run", "-it", "image", "sh"});
  read_until("ready");
  EXPECT_TRUE(raw());
  EXPECT_TRUE(daemon->wait_for("POST /v1/containers/c1/resize"));
  ASSERT_EQ(::write(master.get(), "\x03hello", 6), 6);
  read_until("hello");  // the interrupt key went to the container like any other
  auto before = daemon->seen().size();
  child.signal(SIGWINCH);
  for (int i = 0; i < 300 && daemon->seen().size() == before; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(daemon->seen().back(), "POST /v1/containers/c1/resize");
  ASSERT_EQ(::write(master.get(), "\x10\x11", 2), 2);
  EXPECT_EQ(child.wait().code, 0);
  EXPECT_FALSE(raw());
}

TEST_F(TerminalTest, ASignalLeavesTheTerminalAsItWas) {
  play();
  FakeContainer container(daemon, true);
  for (int number : {SIGTERM, SIGHUP}) {
    auto child = start({"run", "-it", "image", "sh"});
    read_until("ready");
    ASSERT_TRUE(raw());
    child.signal(number);
    EXPECT_EQ(child.wait().code, 128 + number);
    EXPECT_FALSE(raw());
  }
}

TEST_F(TerminalTest, StandardInputKeepsItsFlags) {
  play();
  FakeContainer container(daemon, true);
  auto flags = ::fcntl(slave.get(), F_GETFL);
  auto child = start({"run", "-it", "image", "sh"});
  read_until("ready");
  EXPECT_EQ(::fcntl(slave.get(), F_GETFL), flags);
  ASSERT_EQ(::write(master.get(), "\x10\x11", 2), 2);
  child.wait();
}

}  // namespace
}  // namespace gantry::cli
