#include "plan/plan.h"

#include <gtest/gtest.h>

#include "layer/key.h"
#include "plan/paths.h"

namespace gantry::build {
namespace {

const Platform kPlatform{"linux", "amd64", ""};

image::ImageInfo find_image(const std::string& reference, const Platform&) {
  if (reference != "base" && reference != "debian:12" && reference != "trigger")
    throw Error(ErrorKind::not_found, "image \"" + reference + "\" is not here", "gantry image ls");
  image::ImageInfo info;
  info.layers = {"sha256:base"};
  info.config.config.Env = {"PATH=/bin", "FROM_BASE=b"};
  info.config.config.Cmd = std::vector<std::string>{"base-cmd"};
  info.config.config.WorkingDir = "/base";
  if (reference == "trigger") info.config.config.OnBuild = {"RUN triggered", "COPY --from=first /a /b"};
  return info;
}

Plan plan_of(const std::string& text, Options options = {}) {
  return make_plan(parse_dockerfile(text, "Dockerfile"), options, kPlatform, find_image);
}

Error failure(const std::string& text, Options options = {}) {
  try {
    plan_of(text, std::move(options));
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "accepted: " << text;
  return {ErrorKind::internal, ""};
}

TEST(Plan, OnlyStagesThatTheTargetNeedsInOrder) {
  const std::string file =
      "FROM base AS a\nRUN a\nFROM base AS b\nRUN b\nFROM a AS c\nCOPY --from=b /x /x\nFROM base AS d\nRUN d\n";
  auto indexes = [](const Plan& plan) {
    std::vector<std::size_t> out;
    for (const auto& stage : plan.stages) out.push_back(stage.index);
    return out;
  };
  EXPECT_EQ(indexes(plan_of(file)), (std::vector<std::size_t>{3}));
  EXPECT_EQ(indexes(plan_of(file, {.target = "c"})), (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(plan_of(file, {.target = "c"}).step_count, 6);
  EXPECT_EQ(indexes(plan_of(file, {.target = "1"})), (std::vector<std::size_t>{1}));
}

TEST(Plan, ArgumentsAndVariables) {
  auto plan = plan_of(
      "ARG TAG=12\nARG NAME=debian:$TAG\nFROM $NAME\nARG TAG\nARG OWN=$TAG-x\nARG NONE\nENV OWN=env\nRUN x\n"
      "WORKDIR $OWN/$TAG\nUSER ${NONE:-nobody}\n",
      {});
  const auto& steps = plan.stages[0].steps;
  EXPECT_EQ(steps[5].run->environment, (std::vector<std::string>{"OWN=env", "TAG=12", "PATH=/bin", "FROM_BASE=b"}));
  EXPECT_EQ(plan.stages[0].config.config.WorkingDir, "/base/env/12");
  EXPECT_EQ(plan.stages[0].config.config.User, "nobody");
}

TEST(Plan, OneEnvDoesNotSeeItself) {
  auto plan = plan_of("FROM base\nENV a=1\nENV a=2 b=$a\nENV c=$a\n");
  EXPECT_EQ(plan.stages[0].config.config.Env,
            (std::vector<std::string>{"PATH=/bin", "FROM_BASE=b", "a=2", "b=1", "c=2"}));
}

TEST(Plan, PlatformArguments) {
  auto plan = plan_of("FROM --platform=$BUILDPLATFORM base\nARG TARGETARCH\nENV A=$TARGETARCH B=$TARGETOS\n");
  EXPECT_EQ(plan.stages[0].config.config.Env.back(), "B=");
  EXPECT_EQ(plan.stages[0].config.config.Env.at(2), "A=amd64");
  EXPECT_EQ(failure("FROM --platform=linux/arm64 base\n").findings().at(0).place.column, 17);
}

TEST(Plan, ProxiesAreNotInTheKey) {
  auto plan = plan_of("FROM base\nRUN x\n", {.arguments = {{"HTTP_PROXY", "p"}}});
  const auto& run = *plan.stages[0].steps[1].run;
  EXPECT_EQ(run.environment.back(), "HTTP_PROXY=p");
  EXPECT_EQ(run.key_environment, (std::vector<std::string>{"PATH=/bin", "FROM_BASE=b"}));
  EXPECT_TRUE(plan.notes.empty());
}

TEST(Plan, EntrypointResetsTheCommandOfTheBase) {
  EXPECT_FALSE(plan_of("FROM base\nENTRYPOINT [\"e\"]\n").stages[0].config.config.Cmd);
  EXPECT_TRUE(plan_of("FROM base\nCMD [\"c\"]\nENTRYPOINT [\"e\"]\n").stages[0].config.config.Cmd);
  EXPECT_EQ(plan_of("FROM base\nCMD\n").stages[0].config.config.Cmd, std::vector<std::string>{});
}

TEST(Plan, TriggersComeFirstAndMayTakeFromStages) {
  auto plan = plan_of("FROM base AS first\nRUN f\nFROM trigger\nRUN own\n");
  ASSERT_EQ(plan.stages.size(), 2u);
  EXPECT_EQ(plan.stages[0].index, 0u);
  const auto& steps = plan.stages[1].steps;
  ASSERT_EQ(steps.size(), 4u);
  EXPECT_EQ(steps[1].run->argv.back(), "triggered");
  EXPECT_EQ(steps[2].copy->from.stage, 0u);
  EXPECT_EQ(steps[3].run->argv.back(), "own");
}

TEST(Plan, FindsMistakesOfValues) {
  struct Row {
    const char* text;
    int line;
    int column;
  };
  const Row table[] = {
      {"FROM absent\n", 1, 6},
      {"FROM base\nCOPY --from=absent a b\n", 2, 13},
      {"ARG X\nFROM ${X}\n", 2, 6},
      {"ARG X\nFROM ${X:?needed}\n", 2, 6},
      {"FROM base\nENV A=${B:?needed}\n", 2, 7},
      {"FROM base\nARG P=x\nEXPOSE $P\n", 3, 8},
      {"FROM base\nARG S=x\nSTOPSIGNAL $S\n", 3, 12},
      {"FROM base\nARG M=x\nCOPY --chmod=$M a b\n", 3, 14},
      {"FROM base\nCOPY a b $D\n", 2, 10},
      {"FROM base\nUSER $NOBODY\n", 2, 6},
      {"FROM base\nWORKDIR $NOTHING\n", 2, 9},
  };
  for (const auto& row : table) {
    auto error = failure(row.text);
    ASSERT_FALSE(error.findings().empty()) << row.text;
    EXPECT_EQ(error.findings()[0].place.line, row.line) << row.text;
    EXPECT_EQ(error.findings()[0].place.column, row.column) << row.text;
  }
  EXPECT_NE(failure("FROM base AS maker\nFROM makr\n").findings()[0].message.find("did you mean \"maker\"?"),
            std::string::npos);
  EXPECT_EQ(failure("FROM base AS maker\n", {.target = "makr"}).kind(), ErrorKind::not_found);
  EXPECT_EQ(failure("FROM base\n", {.arguments = {{"SOURCE_DATE_EPOCH", "soon"}}}).kind(), ErrorKind::invalid);
}

TEST(Paths, Tables) {
  EXPECT_EQ(clean_path("/a//b/./../c/"), "/a/c");
  EXPECT_EQ(clean_path("/../.."), "/");
  EXPECT_EQ(join_path("/w", "x"), "/w/x");
  EXPECT_EQ(join_path("", "x"), "/x");
  EXPECT_EQ(join_path("/w", "."), "/w/./");
  EXPECT_EQ(join_path("/w", "/abs/"), "/abs/");
}

TEST(KeyBuilder, FieldsDoNotRunTogether) {
  EXPECT_EQ(KeyBuilder().add("ab").add("c").finish(), KeyBuilder().add("ab").add("c").finish());
  EXPECT_NE(KeyBuilder().add("ab").add("c").finish(), KeyBuilder().add("a").add("bc").finish());
  EXPECT_NE(KeyBuilder().add(std::vector<std::string>{"a"}).add("b").finish(),
            KeyBuilder().add(std::vector<std::string>{"a", "b"}).finish());
}

}  // namespace
}  // namespace gantry::build
