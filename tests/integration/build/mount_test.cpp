#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "fixture.h"
#include "gantry/base/error.h"

namespace gantry::build {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MountTest : public BuildTest {
 protected:
  std::string all_output() const {
    std::string out;
    for (const auto& step : steps_) out += step.output;
    return out;
  }
};

TEST_F(MountTest, TheContextIsShownAndLeavesNothing) {
  auto image = build(
      "FROM base\nRUN --mount=target=/src --mount=type=bind,source=sub/file,target=/deep/er/file cat /src/a "
      "/deep/er/file > "
      "/out\n",
      {{"a", "A"}, {"sub/file", "B"}});
  EXPECT_EQ(read(image, "/out"), "AB");
  EXPECT_FALSE(exists(image, "/src"));
  EXPECT_FALSE(exists(image, "/deep"));
}

TEST_F(MountTest, WhatAStepWritesIntoABindIsLost) {
  auto image = build(
      "FROM base\nRUN --mount=target=/src,rw echo changed > /src/a && cat /src/a > /one\nRUN --mount=target=/src cat "
      "/src/a "
      "> /two\n",
      {{"a", "kept"}});
  EXPECT_EQ(read(image, "/one"), "changed\n");
  EXPECT_EQ(read(image, "/two"), "kept");
}

TEST_F(MountTest, StagesAndImagesAreSources) {
  auto image = build(
      "FROM base AS made\nRUN echo hello > /made\nFROM base\n"
      "RUN --mount=from=made,source=/made,target=/m --mount=from=base,target=/other cat /m /other/data/one > /out\n");
  EXPECT_EQ(read(image, "/out"), "hello\n1");
  EXPECT_FALSE(exists(image, "/m"));
}

TEST_F(MountTest, TheContentOfABindDecidesAboutTheCache) {
  std::string file = "FROM base\nRUN --mount=target=/src cat /src/a > /out\n";
  build(file, {{"a", "1"}, {"unused", "x"}});
  build(file, {{"a", "1"}, {"unused", "x"}});
  EXPECT_THAT(cached_steps(), testing::SizeIs(1));
  EXPECT_EQ(read(build(file, {{"a", "2"}, {"unused", "x"}}), "/out"), "2");
}

TEST_F(MountTest, ACacheStaysFromBuildToBuildAndIsNotInTheImage) {
  std::string file =
      "FROM base\nARG N\nRUN --mount=type=cache,target=/var/cache,mode=0700 echo $N >> /var/cache/log && cat "
      "/var/cache/log > /out\n";
  Options one, two;
  one.arguments["N"] = "1";
  two.arguments["N"] = "2";
  build(file, {}, one);
  auto image = build(file, {}, two);
  EXPECT_EQ(read(image, "/out"), "1\n2\n");
  EXPECT_FALSE(exists(image, "/var/cache"));
  builder_->recover();
  two.arguments["N"] = "3";
  EXPECT_EQ(read(build(file, {}, two), "/out"), "1\n2\n3\n");
}

TEST_F(MountTest, ACacheCanBeginWithFiles) {
  auto image =
      build("FROM base\nRUN --mount=type=cache,id=x,from=base,source=/data,target=/c cat /c/one /c/two > /out\n");
  EXPECT_EQ(read(image, "/out"), "12");
}

TEST_F(MountTest, MemoryIsEmptyAndGoesAway) {
  auto image = build("FROM base\nRUN --mount=type=tmpfs,target=/data,size=1m ls /data > /out && echo x > /data/x\n");
  EXPECT_EQ(read(image, "/out"), "");
  EXPECT_EQ(read(image, "/data/one"), "1");
  EXPECT_FALSE(exists(image, "/data/x"));
}

TEST_F(MountTest, WhatOnlyAClientCanGiveIsLeftOutOrRefused) {
  auto image = build(
      "FROM base\nRUN --mount=type=secret,id=token --mount=type=ssh test ! -e /run/secrets/token && echo fine > "
      "/out\n");
  EXPECT_EQ(read(image, "/out"), "fine\n");
  auto error = failure("FROM base\nRUN --mount=type=secret,id=token,required=true cat /run/secrets/token\n");
  ASSERT_THAT(error.findings(), testing::SizeIs(1));
  EXPECT_THAT(error.findings()[0].message, HasSubstr("the secret \"token\" is required"));
}

TEST_F(MountTest, MistakesAreNamed) {
  auto why = [&](const std::string& mount) {
    auto error = failure("FROM base\nRUN --mount=" + mount + " true\n", {{"a", ""}});
    return error.findings().empty() ? error.message() : error.findings()[0].message;
  };
  EXPECT_THAT(why("type=cach,target=/x"), HasSubstr("did you mean \"cache\""));
  EXPECT_THAT(why("type=cache"), HasSubstr("target is missing"));
  EXPECT_THAT(why("target=/x,size=3"), HasSubstr("means nothing"));
  EXPECT_THAT(why("target=/x,source=gone"), HasSubstr("\"gone\" is not in the build context"));
  EXPECT_THAT(why("type=tmpfs,target=/x,size=many"), HasSubstr("no number"));
  EXPECT_THAT(why("from=nowhere,target=/x"), HasSubstr("neither an earlier stage nor an image"));
  EXPECT_THAT(why("target=/"), HasSubstr("cannot be the root"));
}

TEST_F(MountTest, NetworkOfAStep) {
  build("FROM base\nRUN --network=none true\n");
  EXPECT_EQ(executor_->last.network, "none");
  EXPECT_THAT(failure("FROM base\nRUN --network=some true\n").findings().at(0).message,
              HasSubstr("default, none or host"));
}

TEST_F(MountTest, CopyLeavesOutWhatExcludeNames) {
  auto image =
      build("FROM base\nCOPY --exclude=*.md --exclude=sub/*.o . /all/\nCOPY --exclude=b* a b.txt /two/\n",
            {{"a", "a"}, {"b.txt", "b"}, {"read.md", ""}, {"sub/x.o", ""}, {"sub/x.c", ""}, {"sub/deep.md", ""}});
  EXPECT_TRUE(exists(image, "/all/sub/x.c"));
  EXPECT_TRUE(exists(image, "/all/sub/deep.md"));
  EXPECT_FALSE(exists(image, "/all/read.md"));
  EXPECT_FALSE(exists(image, "/all/sub/x.o"));
  EXPECT_TRUE(exists(image, "/two/a"));
  EXPECT_FALSE(exists(image, "/two/b.txt"));
}

TEST_F(MountTest, CopyKeepsParents) {
  auto image = build("FROM base\nCOPY --parents x/a.txt y/*.txt /kept/\nCOPY --parents x/./deep/dir /pivot/\n",
                     {{"x/a.txt", "1"}, {"y/b.txt", "2"}, {"x/deep/dir/c", "3"}});
  EXPECT_EQ(read(image, "/kept/x/a.txt"), "1");
  EXPECT_EQ(read(image, "/kept/y/b.txt"), "2");
  EXPECT_EQ(read(image, "/pivot/deep/dir/c"), "3");
}

TEST_F(MountTest, AddFetchesAndChecks) {
  remote_.files["https://example.test/d/file.txt?x=1"] = "content";
  auto sum = oci::Digest::of("content").str();
  auto image = build("FROM base\nADD https://example.test/d/file.txt?x=1 /got/\nADD --checksum=" + sum +
                     " https://example.test/d/file.txt?x=1 /named\n");
  EXPECT_EQ(read(image, "/got/file.txt"), "content");
  EXPECT_EQ(read(image, "/named"), "content");
  EXPECT_EQ(status(image, "/named").st_mode & 07777, 0600u);
  EXPECT_THAT(remote_.fetched, testing::SizeIs(1));
  auto again = "FROM base\nADD --checksum=" + sum + " https://example.test/d/file.txt?x=1 /again\n";
  build(again);
  remote_.files.clear();
  build(again);
}

TEST_F(MountTest, WhatHasTheWrongChecksumIsRefused) {
  remote_.files["http://example.test/f"] = "other";
  auto sum = oci::Digest::of("content").str();
  auto error = failure("FROM base\nADD --checksum=" + sum + " http://example.test/f /f\n");
  EXPECT_THAT(error.message(), HasSubstr("has the digest"));
  EXPECT_THAT(failure("FROM base\nADD https://example.test/x.git#-u /f\n").findings().at(0).message,
              HasSubstr("no branch"));
}

TEST_F(MountTest, MissingImagesArePulledAndPresentOnesWhenAsked) {
  remote_.on_pull = [&](const std::string& name) {
    if (name == "wanted:1") images_->tag("base", "wanted:1");
  };
  build("FROM wanted:1\nRUN true\n");
  EXPECT_THAT(remote_.pulled, ElementsAre("wanted:1"));
  EXPECT_THAT(all_output(), HasSubstr("pulling wanted:1"));
  Options options;
  options.pull = true;
  build("FROM base\nCOPY --from=wanted:1 /data/one /\n", {}, options);
  EXPECT_THAT(remote_.pulled, ElementsAre("wanted:1", "base", "wanted:1"));
}

TEST_F(MountTest, TheCacheIsMeasuredAndGivenBack) {
  build("FROM base\nRUN --mount=type=cache,target=/c echo 123 > /c/f\nRUN echo kept > /kept\n");
  auto loop = std::make_unique<asio::io_context>();
  Builder::CacheUsage usage;
  std::uint64_t freed = 0;
  auto work = [&]() -> task<> {
    usage = co_await builder_->cache_usage();
    freed = co_await builder_->prune_cache();
  };
  asio::co_spawn(*loop, work, asio::detached);
  loop->run();
  loops_.push_back(std::move(loop));
  EXPECT_GT(usage.mounts, 0u);
  EXPECT_GE(freed, usage.mounts);
  EXPECT_THAT(read(build("FROM base\nRUN --mount=type=cache,target=/c ls /c > /out\n"), "/out"), IsEmpty());
}

}  // namespace
}  // namespace gantry::build
