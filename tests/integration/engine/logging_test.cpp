#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fixture.h"

namespace gantry::engine {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

// Whoever logs are sent to: takes everything that has arrived when asked.
class Receiver {
 public:
  explicit Receiver(int type) : type_(type) { listen(0); }
  int port() const { return port_; }
  std::string all() {
    if (type_ == SOCK_STREAM && listening_) {
      for (int raw; (raw = ::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;)
        clients_.emplace_back(raw);
    }
    for (auto& client : clients_) take(client.get());
    if (type_ == SOCK_DGRAM) take(socket_.get());
    return text_;
  }
  void go_away() {
    all();
    listening_ = false;
    clients_.clear();
    socket_.reset();
  }
  void come_back() { listen(port_); }

 private:
  void listen(int port) {
    socket_ = Fd(::socket(AF_INET, type_ | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    int one = 1;
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    if (type_ == SOCK_STREAM) {
      EXPECT_EQ(::listen(socket_.get(), 8), 0);
    }
    socklen_t size = sizeof address;
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    listening_ = true;
  }
  void take(int fd) {
    char buffer[65536];
    for (ssize_t n; (n = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) text_.append(buffer, static_cast<std::size_t>(n));
  }

  int type_;
  Fd socket_;
  std::vector<Fd> clients_;
  std::string text_;
  int port_ = 0;
  bool listening_ = false;
};

class LoggingTest : public EngineTest {
 protected:
  ContainerSpec logging(const std::string& script, std::string driver, std::map<std::string, std::string> options) {
    auto spec = shell(script);
    spec.log.driver = std::move(driver);
    spec.log.options = std::move(options);
    return spec;
  }
  std::map<std::string, std::string> syslog_to(const Receiver& receiver) {
    return {{"syslog-address", "tcp://127.0.0.1:" + std::to_string(receiver.port())}, {"tag", "{{.Name}}"}};
  }
};

TEST_F(LoggingTest, NoneKeepsNothingAndSaysSo) {
  auto spec = logging("echo hello", "none", {});
  auto id = start(spec);
  EXPECT_EQ(wait(id), 0);
  auto error = refusal([&]() -> task<> {
    std::function<task<>(LogRecord)> sink = [](LogRecord) -> task<> { co_return; };
    LogQuery query;
    co_await engine().logs(id, query, sink);
  });
  EXPECT_EQ(error.message(), "configured logging driver does not support reading");
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "containers" / id.str() / "state/log"));
}

TEST_F(LoggingTest, NoneIsStillAttachedTo) {
  auto spec = logging("echo hello", "none", {});
  auto id = create(spec);
  std::string out;
  run([&]() -> task<> {
    auto session = co_await engine().attach(id);
    co_await engine().start(id);
    out = co_await read_all(session.get());
  });
  EXPECT_EQ(out, "hello\n");
}

TEST_F(LoggingTest, SyslogGetsEveryLineAndLogsStillReads) {
  Receiver receiver(SOCK_STREAM);
  auto spec = logging("echo one; echo two >&2", "syslog", syslog_to(receiver));
  spec.name = "talker";
  auto id = start(spec);
  EXPECT_EQ(wait(id), 0);
  EXPECT_TRUE(eventually([&] { return receiver.all().find("two") != std::string::npos; })) << receiver.all();
  EXPECT_THAT(receiver.all(), ContainsRegex("<30>.* talker.[0-9]+.: one"));
  EXPECT_THAT(receiver.all(), ContainsRegex("<27>.* talker.[0-9]+.: two"));
  EXPECT_THAT(logs(id), HasSubstr("one"));
}

TEST_F(LoggingTest, GelfAndFluentdArrive) {
  Receiver gelf(SOCK_DGRAM);
  Receiver fluentd(SOCK_STREAM);
  auto to = [](const char* scheme, const Receiver& r) {
    return scheme + std::string("127.0.0.1:") + std::to_string(r.port());
  };
  start(logging("echo to-gelf", "gelf", {{"gelf-address", to("udp://", gelf)}, {"gelf-compression-type", "none"}}));
  start(logging("echo to-fluentd", "fluentd", {{"fluentd-address", to("", fluentd)}}));
  EXPECT_TRUE(eventually([&] { return gelf.all().find("\"short_message\":\"to-gelf\"") != std::string::npos; }));
  EXPECT_TRUE(eventually([&] { return fluentd.all().find("\xa3log\xaato-fluentd") != std::string::npos; }));
}

TEST_F(LoggingTest, AReceiverThatIsAwayHoldsNobodyUpAndMissesNothing) {
  Receiver receiver(SOCK_STREAM);
  receiver.go_away();
  auto id = start(logging("for i in 1 2 3 4 5; do echo line $i; done; echo done", "syslog", syslog_to(receiver)));
  EXPECT_EQ(wait(id), 0);
  receiver.come_back();
  EXPECT_TRUE(eventually([&] { return receiver.all().find(": done") != std::string::npos; }));
  for (int i = 1; i <= 5; ++i) EXPECT_THAT(receiver.all(), HasSubstr("line " + std::to_string(i)));
}

TEST_F(LoggingTest, ARestartOfTheDaemonGoesOnWhereItWas) {
  Receiver receiver(SOCK_STREAM);
  auto id = start(logging("echo first; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo second; sleep 60", "syslog",
                          syslog_to(receiver)));
  EXPECT_TRUE(eventually([&] { return receiver.all().find("first") != std::string::npos; }));
  EXPECT_TRUE(
      eventually([&] { return std::filesystem::exists(directory_.path() / "containers" / id.str() / "state/sent"); }));
  restart_daemon();
  exec(id, {"/bin/touch", "/tmp/go"});
  EXPECT_TRUE(eventually([&] { return receiver.all().find("second") != std::string::npos; }));
  auto text = receiver.all();
  EXPECT_EQ(text.find("first"), text.rfind("first")) << "it was sent again: " << text;
}

TEST_F(LoggingTest, LastWordsOfARemovedContainerAreSent) {
  Receiver receiver(SOCK_STREAM);
  auto spec = logging("echo farewell", "syslog", syslog_to(receiver));
  spec.auto_remove = true;
  auto id = start(spec);
  EXPECT_TRUE(eventually([&] { return engine().list({}).empty(); }));
  EXPECT_TRUE(eventually([&] { return receiver.all().find("farewell") != std::string::npos; }));
}

TEST_F(LoggingTest, WrongOptionsAreRefusedAtCreation) {
  auto refused = [&](ContainerSpec spec) {
    return refusal([&]() -> task<> { co_await engine().create(spec); }).kind();
  };
  EXPECT_EQ(refused(logging("true", "splunk", {})), ErrorKind::unsupported);
  EXPECT_EQ(refused(logging("true", "gelf", {})), ErrorKind::invalid);
}

}  // namespace
}  // namespace gantry::engine
