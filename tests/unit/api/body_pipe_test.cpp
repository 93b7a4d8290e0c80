#include "body_pipe.h"

#include <unistd.h>

#include "fake_exchange.h"

namespace {
using namespace gantry;
using namespace gantry::api;

struct BodyPipeTest : public ::testing::Test {
  asio::io_context context;
  TransferLimit transfers{1};
};

std::string read_everything(int fd) { return read_to_end(fd, "the body"); }
std::string read_ten(int fd) {
  std::string out(10, '\0');
  out.resize(static_cast<std::size_t>(::read(fd, out.data(), out.size())));
  return out;
}

TEST_F(BodyPipeTest, GivesTheBodyToABlockingReader) {
  for (std::size_t size : {0, 1, 5'000'000}) {
    FakeExchange exchange("POST", "/", std::string(size, 'x'));
    EXPECT_EQ(run(context, with_body(exchange, transfers, read_everything)).size(), size);
  }
}

TEST_F(BodyPipeTest, ABodyThatIsCutOffIsNeverTakenForAShortOne) {
  FakeExchange exchange("POST", "/", std::string(100'000, 'x'));
  exchange.cut_off = true;
  bool saw_end = false;
  auto read = [&saw_end](int fd) {
    auto text = read_everything(fd);
    saw_end = true;
    return text;
  };
  EXPECT_EQ(error_of([&] { run(context, with_body(exchange, transfers, read)); }).kind(), ErrorKind::cancelled);
  EXPECT_FALSE(saw_end);
}

TEST_F(BodyPipeTest, AReaderThatStopsEarlyDoesNotHoldTheClientUp) {
  FakeExchange exchange("POST", "/", std::string(5'000'000, 'x'));
  EXPECT_EQ(run(context, with_body(exchange, transfers, read_ten)), "xxxxxxxxxx");
  std::array<char, 1> rest{};
  EXPECT_EQ(run(context, exchange.read_body_some(rest)), 0u);
}

TEST_F(BodyPipeTest, OneMoreThanMayBeIsRefusedAndTheNextIsTaken) {
  FakeExchange exchange("POST", "/", std::string(5'000'000, 'x'));
  {
    Transfer other(transfers);
    auto refused = error_of([&] { run(context, with_body(exchange, transfers, read_ten)); });
    EXPECT_EQ(refused.kind(), ErrorKind::unavailable);
    EXPECT_FALSE(refused.fix().empty());
  }
  EXPECT_EQ(run(context, with_body(exchange, transfers, read_ten)), "xxxxxxxxxx");
}

TEST_F(BodyPipeTest, AFailingReaderIsTheFailure) {
  FakeExchange exchange("POST", "/", std::string(1'000'000, 'x'));
  auto fail = [](int) -> std::string { throw Error(ErrorKind::invalid, "not an archive"); };
  EXPECT_EQ(error_of([&] { run(context, with_body(exchange, transfers, fail)); }).message(), "not an archive");
}

}  // namespace
