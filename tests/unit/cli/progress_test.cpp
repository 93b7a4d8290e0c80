#include "progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "build.h"
#include "gantry/base/error.h"
#include "text.h"

namespace gantry::cli {
namespace {

using testing::ElementsAre;

ProgressItem item(std::string id, std::string status, Mark mark = Mark::active) {
  ProgressItem out;
  out.id = std::move(id);
  out.status = std::move(status);
  out.mark = mark;
  return out;
}

TEST(Progress, LinesAlignAndFitTheScreen) {
  auto lines = render({item("web", "starting"), item("database", "started", Mark::done)}, {}, {10, 40, false});
  EXPECT_THAT(lines, ElementsAre(" … web       starting", " ✔ database  started"));
  for (const auto& line : render({item(std::string(100, 'x'), "starting")}, {std::string(100, 'y')}, {10, 30, true}))
    EXPECT_LE(display_width(line), 30u);
}

TEST(Progress, FinishedLinesGiveWay) {
  std::vector<ProgressItem> items;
  for (int i = 0; i < 5; ++i) items.push_back(item("done" + std::to_string(i), "", Mark::done));
  items.insert(items.begin(), item("busy", ""));
  auto lines = render(items, {}, {4, 80, false});
  EXPECT_THAT(lines, ElementsAre(" … busy", " ✔ done3", " ✔ done4"));
}

TEST(Progress, OutputStandsBelowAndLeavesRoom) {
  std::vector<std::string> tail{"1", "2", "3", "4", "5", "6"};
  auto lines = render({item("build", "running")}, tail, {5, 80, false});
  EXPECT_THAT(lines, ElementsAre(" … build  running", "   | 5", "   | 6"));
}

TEST(Progress, PlainLinesSayHowFar) {
  auto layer = item("layer", "unpacking");
  layer.current = 5'000'000;
  layer.total = 10'000'000;
  EXPECT_EQ(plain_line(layer), "layer: unpacking 5.0 MB/10.0 MB (50%)");
  auto failed = item("web", "failed", Mark::failed);
  failed.detail = "port\nin use";
  EXPECT_EQ(plain_line(failed), "web: failed (port in use)");
}

TEST(Progress, UnknownModeIsRefused) {
  EXPECT_EQ(parse_progress_mode("plain"), ProgressMode::plain);
  EXPECT_THROW(parse_progress_mode("fancy"), Error);
}

class Recorder : public Progress {
 public:
  void update(const ProgressItem& now) override { lines.push_back(plain_line(now)); }
  void output(const std::string& id, std::string_view text) override {
    lines.push_back(id + " > " + std::string(text));
  }
  void finish() override {}
  std::vector<std::string> lines;
};

TEST(BuildDisplay, StepsOutputAndFailure) {
  Recorder recorder;
  BuildDisplay display(recorder, "web");
  display.show({.number = 1, .count = 2, .text = "FROM x", .cached = true});
  display.show({.number = 1, .count = 2, .done = true});
  display.show({.number = 2, .count = 2, .text = "RUN make"});
  display.show({.number = 2, .count = 2, .output = "cc\n"});
  display.failed();
  EXPECT_THAT(recorder.lines,
              ElementsAre("web [1/2] FROM x: cached", "web [1/2] FROM x: cached", "web [2/2] RUN make: running",
                          "web [2/2] RUN make > cc\n", "web [2/2] RUN make: failed"));
}

TEST(BuildDisplay, StepsSideBySideEndOnTheirOwn) {
  Recorder recorder;
  BuildDisplay display(recorder, "");
  display.show({.number = 1, .count = 2, .text = "RUN a"});
  display.show({.number = 2, .count = 2, .text = "RUN b"});
  display.show({.number = 1, .count = 2, .output = "A\n"});
  display.show({.number = 2, .count = 2, .done = true});
  display.show({.number = 1, .count = 2, .done = true});
  display.succeeded();
  EXPECT_THAT(recorder.lines, ElementsAre("[1/2] RUN a: running", "[2/2] RUN b: running", "[1/2] RUN a > A\n",
                                          "[2/2] RUN b: done", "[1/2] RUN a: done"));
}

}  // namespace
}  // namespace gantry::cli
