#include "gantry/base/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {
using namespace gantry;

TEST(Process, CollectsBothStreamsAndTheExitCode) {
  auto result = run_captured({.argv = {"sh", "-c", "cat; echo err >&2; exit 3"}}, "hello");
  EXPECT_EQ(result.out, "hello");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(result.status.code, 3);
}

TEST(Process, ReportsASignalAsAShellDoes) {
  auto result = run_captured({.argv = {"sh", "-c", "kill -9 $$"}});
  EXPECT_EQ(result.status.code, 137);
  EXPECT_TRUE(result.status.signaled);
}

TEST(Process, NamesAMissingProgram) {
  try {
    run_captured({.argv = {"/no/such/program"}});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.message(), testing::HasSubstr("/no/such/program"));
  }
}

TEST(Process, EndsAProcessPastItsTime) {
  EXPECT_THROW(run_captured({.argv = {"sleep", "100"}}, {}, std::chrono::milliseconds(20)), Error);
}

}  // namespace
