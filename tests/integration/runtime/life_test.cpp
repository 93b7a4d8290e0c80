#include <signal.h>

#include "fixture.h"

namespace gantry::runtime {
namespace {

class Life : public RuntimeTest {};

TEST_F(Life, ExitCodeAndStreams) {
  auto plan = shell("echo out; echo err >&2; exit 7");
  run([&]() -> task<> {
    auto record = co_await run_to_end(plan);
    EXPECT_EQ(record.status.code, 7);
    EXPECT_FALSE(record.status.signaled);
    EXPECT_GT(record.time, now() - std::chrono::minutes(1));
  });
  EXPECT_EQ(log_of(plan, StdStream::out), "out\n");
  EXPECT_EQ(log_of(plan, StdStream::err), "err\n");
}

}  // namespace
}  // namespace gantry::runtime
