#include <fcntl.h>
#include <sys/stat.h>

#include "fixture.h"

namespace gantry::build {
namespace {

using ReproducibleTest = BuildTest;

constexpr auto kFile =
    "FROM base AS made\nRUN mkdir /out && echo made > /out/file && ln -s file /out/link\nWORKDIR /srv\n"
    "FROM scratch\nCOPY --from=made /out /out\nCOPY a <<HERE /in/\ntext\nHERE\nENV A=1\nWORKDIR /w\n";

TEST_F(ReproducibleTest, SameInputsSameDigests) {
  Options options;
  options.no_cache = true;
  options.arguments = {{"SOURCE_DATE_EPOCH", "1000000000"}};
  auto first = build(kFile, {{"a", "A"}}, options);
  TearDown();
  own_root_.reset();
  open();
  auto second = build(kFile, {{"a", "A"}}, options);
  EXPECT_EQ(first.id, second.id);
  EXPECT_EQ(first.digest, second.digest);
  for (const char* path : {"/out", "/out/file", "/out/link", "/in/a", "/w"})
    EXPECT_EQ(status(second, path).st_mtim.tv_sec, 1000000000) << path;
}

TEST_F(ReproducibleTest, WhatIsOlderKeepsItsTime) {
  auto dir = context({{"Dockerfile", "FROM scratch\nCOPY a /a\n"}, {"a", "A"}});
  timespec times[2] = {{500, 0}, {500, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (dir / "a").c_str(), times, 0), 0);
  Options options;
  options.arguments = {{"SOURCE_DATE_EPOCH", "1000"}};
  EXPECT_EQ(status(build_in(dir, options), "/a").st_mtim.tv_sec, 500);
}

TEST_F(ReproducibleTest, ABuildFromTheCacheIsTheSameImage) {
  const std::string file = "FROM base\nRUN echo x > /x\nENV A=1\nLABEL b=c\n";
  auto first = build(file);
  auto second = build(file);
  EXPECT_EQ(first.id, second.id);
  EXPECT_EQ(cached_steps().size(), 1u);
}

}  // namespace
}  // namespace gantry::build
