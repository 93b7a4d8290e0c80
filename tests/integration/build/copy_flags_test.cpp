#include "fixture.h"
#include "gantry/base/error.h"

namespace gantry::build {
namespace {

using CopyFlagsTest = BuildTest;

TEST_F(CopyFlagsTest, SymbolicModes) {
  auto image = build("FROM base\nCOPY --chmod=u=rwX,go=rX d /d/\nCOPY --chmod=+x f /f\nCOPY --chmod=a=r <<h /h\nx\nh\n",
                     {{"d/in/x", "X"}, {"f", "F"}});
  EXPECT_EQ(status(image, "/d/in").st_mode & 07777, 0755u);
  EXPECT_EQ(status(image, "/d/in/x").st_mode & 07777, 0644u);
  EXPECT_EQ(status(image, "/f").st_mode & 0111, 0111u);
  EXPECT_EQ(status(image, "/h").st_mode & 07777, 0444u);
}

TEST_F(CopyFlagsTest, AnExceptionLetsInAgain) {
  auto image = build("FROM base\nCOPY --exclude=docs --exclude=*.md --exclude=!docs/api/keep.md . /c/\n",
                     {{"a.txt", ""}, {"b.md", ""}, {"docs/x", ""}, {"docs/api/keep.md", "K"}, {"docs/other/y", ""}});
  EXPECT_TRUE(exists(image, "/c/a.txt"));
  EXPECT_FALSE(exists(image, "/c/b.md"));
  EXPECT_EQ(read(image, "/c/docs/api/keep.md"), "K");
  EXPECT_FALSE(exists(image, "/c/docs/x"));
  EXPECT_FALSE(exists(image, "/c/docs/other"));
}

TEST_F(CopyFlagsTest, ALinkedLayerIsTakenFromTheCacheOnAnotherBase) {
  const std::string step = "COPY --link --chown=app f /opt/kept/in/\nCOPY --link f /config/f\n";
  auto first = build("FROM base\n" + step, {{"f", "F"}});
  auto second = build("FROM base\nRUN echo > /other\n" + step, {{"f", "F"}});
  EXPECT_EQ(cached_steps().size(), 2u);
  EXPECT_EQ(first.layers[1], second.layers[2]);
  EXPECT_EQ(status(second, "/opt/kept/in/f").st_uid, 1000u);
  auto kept = status(second, "/opt/kept");
  EXPECT_EQ(kept.st_mode & 07777, 0711u);
  EXPECT_EQ(kept.st_uid, 5u);
  EXPECT_TRUE(exists(second, "/data/one"));
  // Links below are not followed: the layer knows nothing of them.
  EXPECT_TRUE(S_ISDIR(status(second, "/config").st_mode));
  build("FROM base\nRUN chmod 0750 /opt/kept\n" + step, {{"f", "F"}});
  EXPECT_EQ(cached_steps().size(), 1u);
}

TEST_F(CopyFlagsTest, OtherPlatformsAreForFilesOnly) {
  Options options;
  options.platform = "linux/riscv64";
  auto image = build(
      "FROM --platform=$BUILDPLATFORM base AS b\nARG TARGETARCH\nRUN echo $TARGETARCH > /a\n"
      "FROM scratch\nCOPY --from=b /a /a\n",
      {}, options);
  EXPECT_EQ(read(image, "/a"), "riscv64\n");
  EXPECT_EQ(image.config.architecture, "riscv64");
  if (std::filesystem::exists("/proc/sys/fs/binfmt_misc/qemu-riscv64")) return;
  auto error = failure("FROM scratch\nCOPY f /f\nRUN /f\n", {{"f", ""}}, options);
  EXPECT_NE(error.findings().at(0).message.find("does not run programs of linux/riscv64"), std::string::npos);
}

TEST_F(CopyFlagsTest, StepsTravelWithAnImage) {
  Options options;
  options.cache_to = "cache:1";
  const std::string file = "FROM base AS a\nRUN echo a > /a\nFROM base\nCOPY --from=a /a /\nRUN echo b > /b\n";
  build(file, {}, options);
  TearDown();  // another machine: all is forgotten but the image
  database_ = std::make_unique<store::Database>(root_ / "db", std::vector<store::Schema>{image::schema(), schema()});
  database_->transaction([](store::Transaction& t) { t.run("DELETE FROM build_cache"); });
  database_.reset();
  open(root_);
  Options again;
  again.cache_from = {"cache:1", "nothing:1"};
  build(file, {}, again);
  EXPECT_EQ(cached_steps().size(), 3u);
  EXPECT_EQ(executor_->runs, 0);
}

TEST_F(CopyFlagsTest, InsecureIsRefusedWithTheReason) {
  auto error = failure("FROM base\nRUN --security=insecure true\n");
  EXPECT_NE(error.findings().at(0).message.find("isolated like any container"), std::string::npos);
}

}  // namespace
}  // namespace gantry::build
