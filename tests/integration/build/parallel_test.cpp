#include <chrono>

#include "fixture.h"
#include "gantry/base/error.h"

namespace gantry::build {
namespace {

using ParallelTest = BuildTest;

// Each waits for what the other puts into the shared cache: one after the other they would never end.
TEST_F(ParallelTest, StagesThatDoNotNeedEachOtherRunSideBySide) {
  auto image = build(
      "FROM base AS a\nRUN --mount=type=cache,id=meet,target=/m touch /m/a; while ! test -e /m/b; do sleep 0.05; done; "
      "echo a > /a\n"
      "FROM base AS b\nRUN --mount=type=cache,id=meet,target=/m touch /m/b; while ! test -e /m/a; do sleep 0.05; done; "
      "echo b > /b\n"
      "FROM base\nCOPY --from=a /a /\nCOPY --from=b /b /\n");
  EXPECT_EQ(read(image, "/a"), "a\n");
  EXPECT_EQ(read(image, "/b"), "b\n");
  EXPECT_EQ(left_in_scratch(), 0u);
}

TEST_F(ParallelTest, AStageStartsFromAnotherWhenThatIsDone) {
  auto image = build(
      "FROM base AS a\nRUN sleep 0.3; echo a > /a\n"
      "FROM a AS b\nRUN cat /a > /b\n"
      "FROM a AS c\nRUN cat /a > /c\n"
      "FROM base\nRUN --mount=from=b,target=/x cat /x/b > /both\nCOPY --from=c /c /\n");
  EXPECT_EQ(read(image, "/both"), "a\n");
  EXPECT_EQ(read(image, "/c"), "a\n");
}

TEST_F(ParallelTest, TheFirstFailureStopsTheOthers) {
  auto start = std::chrono::steady_clock::now();
  auto error = failure(
      "FROM base AS a\nRUN sleep 60\nFROM base AS b\nRUN exit 3\n"
      "FROM base\nCOPY --from=a /a /\nCOPY --from=b /b /\n");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  EXPECT_NE(error.message().find("exit code 3"), std::string::npos) << error.message();
  EXPECT_EQ(left_in_scratch(), 0u);
}

TEST_F(ParallelTest, TheSameStepOfTwoStagesRunsOnce) {
  auto image = build(
      "FROM base AS a\nRUN sleep 0.3; echo x > /x\nRUN echo a > /a\n"
      "FROM base AS b\nRUN sleep 0.3; echo x > /x\nRUN echo b > /b\n"
      "FROM base\nCOPY --from=a /a /x /\nCOPY --from=b /b /\n");
  EXPECT_EQ(executor_->runs, 3);
  EXPECT_EQ(cached_steps().size(), 1u);
  EXPECT_EQ(read(image, "/x"), "x\n");
}

TEST_F(ParallelTest, StagesNamedByTheFilterRunAgain) {
  const std::string file = "FROM base AS a\nRUN echo a > /a\nFROM base AS b\nCOPY --from=a /a /\nRUN echo b > /b\n";
  build(file);
  build(file, {}, {.no_cache_filter = {"a"}});
  EXPECT_EQ(executor_->runs, 3);
  EXPECT_EQ(cached_steps().size(), 2u);
}

}  // namespace
}  // namespace gantry::build
