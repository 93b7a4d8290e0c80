#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "fixture.h"
#include "gantry/base/error.h"

namespace gantry::build {
namespace {

TEST_F(BuildTest, MultiStageTakesOnlyWhatTheTargetNeeds) {
  auto image = build(
      "FROM base AS unused\nRUN exit 9\n"
      "FROM base AS maker\nARG WORD=none\nRUN echo made-$WORD > /out && chmod 640 /out\n"
      "FROM base\nCOPY --from=maker /out /in/\nENV A=1 B=\"$A x\"\nWORKDIR /srv/app\nRUN pwd > where\nCMD [\"cat\", "
      "\"/in/out\"]\n",
      {}, {.tags = {"app:1", "app:2"}, .arguments = {{"WORD", "it"}}});
  EXPECT_EQ(read(image, "/in/out"), "made-it\n");
  EXPECT_EQ(status(image, "/in/out").st_mode & 07777, 0640u);
  EXPECT_EQ(read(image, "/srv/app/where"), "/srv/app\n");
  EXPECT_FALSE(exists(image, "/out"));
  EXPECT_EQ(image.config.config.WorkingDir, "/srv/app");
  EXPECT_EQ(image.config.config.Env, (std::vector<std::string>{"PATH=/bin", "A=1", "B= x"}));
  EXPECT_EQ(image.references, (std::vector<std::string>{"app:1", "app:2"}));
  EXPECT_EQ(image.layers.size(), 4u);
  EXPECT_EQ(image.config.rootfs.diff_ids, image.layers);
  auto filled = std::count_if(image.config.history.begin(), image.config.history.end(),
                              [](const auto& entry) { return !entry.empty_layer.value_or(false); });
  EXPECT_EQ(static_cast<std::size_t>(filled), image.layers.size());
  EXPECT_EQ(left_in_scratch(), 0u);
}

TEST_F(BuildTest, RunSeesArgumentsAndVariables) {
  auto image =
      build("ARG G=global\nFROM base\nARG G\nARG A=arg\nENV E=env A=wins\nRUN echo $G $A $E $http_proxy > /f\n", {},
            {.arguments = {{"http_proxy", "p"}}});
  EXPECT_EQ(read(image, "/f"), "global wins env p\n");
  for (const auto& entry : image.config.history) EXPECT_EQ(entry.created_by->find("http_proxy=p"), std::string::npos);
}

TEST_F(BuildTest, WhiteoutsHideWhatRunRemoved) {
  auto image = build("FROM base\nRUN rm -r /data /etc/group && mkdir /data && echo new > /data/three\nCOPY a /data/\n",
                     {{"a", "A"}});
  EXPECT_FALSE(exists(image, "/data/one"));
  EXPECT_FALSE(exists(image, "/etc/group"));
  EXPECT_EQ(read(image, "/data/three"), "new\n");
  EXPECT_EQ(read(image, "/data/a"), "A");
}

TEST_F(BuildTest, CacheFollowsContentNotTimes) {
  const std::string file = "FROM base\nARG V\nCOPY a /a\nRUN echo $V > /v\nCOPY b /b\n";
  auto first = build(file, {{"a", "1"}, {"b", "1"}});
  EXPECT_TRUE(cached_steps().empty());
  EXPECT_EQ(executor_->runs, 1);
  auto second = build(file, {{"a", "1"}, {"b", "1"}});
  EXPECT_EQ(cached_steps().size(), 3u);
  EXPECT_EQ(second.layers, first.layers);
  build(file, {{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(cached_steps(), (std::vector<std::string>{"COPY a /a", "RUN echo $V > /v"}));
  build(file, {{"a", "1"}, {"b", "1"}}, {.arguments = {{"V", "x"}}});
  EXPECT_EQ(cached_steps(), (std::vector<std::string>{"COPY a /a"}));
  build(file, {{"a", "2"}, {"b", "1"}});
  EXPECT_TRUE(cached_steps().empty());
  build(file, {{"a", "1"}, {"b", "1"}}, {.no_cache = true});
  EXPECT_TRUE(cached_steps().empty());
  EXPECT_EQ(executor_->runs, 4);
}

TEST_F(BuildTest, CacheMissesWhenTheLayerIsGone) {
  build("FROM base\nRUN echo x > /x\n", {}, {.tags = {"t"}});
  images_->remove("t", true, {});
  images_->collect_garbage({});
  auto again = build("FROM base\nRUN echo x > /x\n");
  EXPECT_TRUE(cached_steps().empty());
  EXPECT_EQ(read(again, "/x"), "x\n");
}

TEST_F(BuildTest, ModeChangesTheKey) {
  auto dir = context({{"Dockerfile", "FROM base\nCOPY a /a\n"}, {"a", "1"}});
  build_in(dir);
  ::chmod((dir / "a").c_str(), 0700);
  auto image = build_in(dir);
  EXPECT_TRUE(cached_steps().empty());
  EXPECT_EQ(status(image, "/a").st_mode & 07777, 0700u);
}

TEST_F(BuildTest, OnbuildRunsInTheChildOnce) {
  build("FROM base\nONBUILD ARG X=trigger\nONBUILD COPY f /f\nONBUILD RUN echo $X > /x\n", {}, {.tags = {"parent"}});
  auto child = build("FROM parent\n", {{"f", "F"}}, {.tags = {"child"}});
  EXPECT_EQ(read(child, "/f"), "F");
  EXPECT_EQ(read(child, "/x"), "trigger\n");
  EXPECT_TRUE(child.config.config.OnBuild.empty());
  EXPECT_EQ(build("FROM child\n").layers, child.layers);
}

TEST_F(BuildTest, HeredocsRunAndCopy) {
  auto image = build(
      "FROM base\nENV W=world\nRUN <<EOF\nset -e\necho \"hello $W\" > /one\nEOF\n"
      "RUN cat <<A > /two && cat <<-\"B\" >> /two\na $W\nA\n\tb $W\n\tB\n"
      "RUN <<EOF\n#!/bin/cat\nscript\nEOF\n"
      "COPY <<x <<'y' /d/\nx $W\nx\ny $W\ny\nCOPY --chmod=0600 --chown=app <<z /e\nq\nz\n");
  EXPECT_EQ(read(image, "/one"), "hello world\n");
  EXPECT_EQ(read(image, "/two"), "a world\nb $W\n");
  EXPECT_EQ(read(image, "/d/x"), "x world\n");
  EXPECT_EQ(read(image, "/d/y"), "y $W\n");
  EXPECT_EQ(status(image, "/e").st_mode & 07777, 0600u);
  EXPECT_EQ(status(image, "/e").st_uid, 1000u);
  EXPECT_FALSE(exists(image, "/.gantry-run-script"));
  bool printed =
      std::any_of(steps_.begin(), steps_.end(), [](const auto& step) { return step.output == "#!/bin/cat\nscript\n"; });
  EXPECT_TRUE(printed);
}

TEST_F(BuildTest, UserWorkdirAndShell) {
  auto image = build(
      "FROM base\nUSER 1000:1001\nWORKDIR /home/app\nWORKDIR work\nRUN id -u > who\nSHELL [\"/bin/sh\", \"-ec\"]\nRUN "
      "echo s\n"
      "ENTRYPOINT run it\n");
  EXPECT_EQ(read(image, "/home/app/work/who"), "1000\n");
  EXPECT_EQ(status(image, "/home/app/work").st_uid, 1000u);
  EXPECT_EQ(*image.config.config.Entrypoint, (std::vector<std::string>{"/bin/sh", "-ec", "run it"}));
  EXPECT_FALSE(image.config.config.Cmd);
}

TEST_F(BuildTest, EverythingElseOfTheConfiguration) {
  auto image = build(
      "FROM base\nEXPOSE 80 90-91/udp\nVOLUME /a \"/b\"\nLABEL x=1 \"y z\"=\"2 3\"\nSTOPSIGNAL SIGINT\nMAINTAINER me\n"
      "HEALTHCHECK --interval=5s --retries=2 CMD curl x || exit 1\nCMD echo hi\n",
      {}, {.arguments = {{"SOURCE_DATE_EPOCH", "1700000000"}}, .labels = {{"x", "given"}}});
  const auto& config = image.config.config;
  EXPECT_EQ(config.ExposedPorts.size(), 3u);
  EXPECT_EQ(config.Volumes.size(), 2u);
  EXPECT_EQ(config.Labels.at("x"), "given");
  EXPECT_EQ(config.Labels.at("y z"), "2 3");
  EXPECT_EQ(*config.StopSignal, "SIGINT");
  EXPECT_EQ(*image.config.author, "me");
  EXPECT_EQ(config.Healthcheck->Test, (std::vector<std::string>{"CMD-SHELL", "curl x || exit 1"}));
  EXPECT_EQ(*config.Healthcheck->Interval, 5'000'000'000);
  EXPECT_EQ(*config.Cmd, (std::vector<std::string>{"/bin/sh", "-c", "echo hi"}));
  EXPECT_EQ(image.config.created->substr(0, 19), "2023-11-14T22:13:20");
}

TEST_F(BuildTest, ScratchHoldsOnlyWhatIsCopied) {
  auto image = build("FROM scratch\nCOPY a /deep/er/\n", {{"a", "A"}});
  EXPECT_EQ(image.layers.size(), 1u);
  EXPECT_EQ(read(image, "/deep/er/a"), "A");
}

TEST_F(BuildTest, FailingCommandNamesStepCodeAndPlace) {
  auto error = failure("FROM base\n\nRUN echo before && exit 7\n", {}, {.tags = {"never"}});
  EXPECT_EQ(error.kind(), ErrorKind::invalid);
  EXPECT_NE(error.message().find("step 2/2 (RUN echo before && exit 7)"), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("exit code 7"), std::string::npos);
  EXPECT_EQ(error.findings().at(0).place.line, 3);
  EXPECT_EQ(left_in_scratch(), 0u);
  EXPECT_THROW(images_->resolve("never"), Error);
}

TEST_F(BuildTest, MistakesAreAllFoundBeforeTheFirstStep) {
  auto error = failure(
      "FROM base\nRUN echo x\nCOPY missing /x\nCOPY --from=nowhere /a /b\nFROM absent:1\nCOPY also/missing* /\n", {},
      {.target = "0"});
  ASSERT_EQ(error.findings().size(), 1u);
  EXPECT_EQ(error.findings()[0].place.line, 4);
  error = failure("FROM base\nRUN echo x\nCOPY missing /x\nADD gone* other /d/\n");
  ASSERT_EQ(error.findings().size(), 2u);
  EXPECT_EQ(error.findings()[0].place.column, 6);
  EXPECT_EQ(error.findings()[1].place.line, 4);
  EXPECT_EQ(executor_->runs, 0);
  EXPECT_EQ(failure("FROM absent:1\n").findings().at(0).place.column, 6);
  EXPECT_EQ(failure("FROM base\n", {}, {.target = "x"}).kind(), ErrorKind::not_found);
  EXPECT_EQ(failure("FROM base\n", {}, {.dockerfile = "Other"}).kind(), ErrorKind::not_found);
  EXPECT_EQ(failure("ARG X\nFROM $X\n").findings().at(0).place.line, 2);
}

TEST_F(BuildTest, IgnoreFileHidesFromCopy) {
  auto image = build("FROM base\nCOPY . /c/\n", {{".dockerignore", "secret\n*.log\n!keep.log\nDockerfile\n"},
                                                 {"secret/key", "k"},
                                                 {"a.log", ""},
                                                 {"keep.log", "x"},
                                                 {"b", ""}});
  EXPECT_FALSE(exists(image, "/c/secret"));
  EXPECT_FALSE(exists(image, "/c/a.log"));
  EXPECT_FALSE(exists(image, "/c/Dockerfile"));
  EXPECT_TRUE(exists(image, "/c/keep.log"));
  EXPECT_TRUE(exists(image, "/c/b"));
  auto error = failure("FROM base\nCOPY secret/key /k\n", {{".dockerignore", "secret\n"}, {"secret/key", "k"}});
  EXPECT_NE(error.findings().at(0).message.find(".dockerignore"), std::string::npos);
}

TEST_F(BuildTest, UnusedArgumentIsNoted) {
  build("FROM base\n", {}, {.arguments = {{"NOBODY", "x"}}});
  bool noted = std::any_of(steps_.begin(), steps_.end(), [](const auto& step) {
    return step.number == 0 && step.text.find("NOBODY") != std::string::npos;
  });
  EXPECT_TRUE(noted);
}

}  // namespace
}  // namespace gantry::build
