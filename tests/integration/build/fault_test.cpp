#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "fixture.h"
#include "gantry/base/error.h"
#include "gantry/base/ids.h"

namespace gantry::build {
namespace {

namespace fs = std::filesystem;

using FaultTest = BuildTest;

// A file system of its own that can be filled without harm. Mounted in a namespace of this thread and the threads it
// starts, so that nothing is left on the host however the test ends.
class SmallDisk {
 public:
  explicit SmallDisk(const char* size) : directory_("/var/tmp", "gantry-build-disk-") {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      throw_errno("make a mount namespace");
    std::string options = std::string("mode=0700,size=") + size;
    if (::mount("tmpfs", directory_.path().c_str(), "tmpfs", 0, options.c_str()) != 0) throw_errno("mount tmpfs");
  }
  ~SmallDisk() { ::umount2(directory_.path().c_str(), MNT_DETACH); }
  const fs::path& path() const { return directory_.path(); }
  std::uintmax_t free() const { return fs::space(path()).free; }

 private:
  TemporaryDirectory directory_;
};

class FullDiskTest : public BuildTest {
 protected:
  void SetUp() override { open(disk_.path()); }
  SmallDisk disk_{"24m"};
};

TEST_F(FullDiskTest, EveryKindOfStepGivesItsSpaceBack) {
  std::ofstream(root_ / "big") << std::string(9u << 20, 'x');
  auto dir = context({{"Dockerfile", ""}});
  fs::rename(root_ / "big", dir / "big");
  auto before = disk_.free();
  const std::string steps[] = {
      "COPY big /a\nCOPY big /b\n",
      "COPY big /a\nRUN while cat /bin/busybox >> /z; do :; done; exit 3\n",
  };
  for (const auto& step : steps) {
    std::ofstream(dir / "Dockerfile", std::ios::trunc) << "FROM base\n" << step;
    try {
      build_in(dir, {.tags = {"full"}});
      ADD_FAILURE() << "built: " << step;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::exhausted) << error.message();
      EXPECT_FALSE(error.fix().empty());
      EXPECT_NE(error.message().find("step "), std::string::npos);
    }
    EXPECT_EQ(left_in_scratch(), 0u);
    EXPECT_THROW(images_->resolve("full"), Error);
    EXPECT_GE(disk_.free() + (1u << 20), before);
  }
  std::ofstream(dir / "Dockerfile", std::ios::trunc) << "FROM base\nRUN echo ok > /ok\n";
  EXPECT_EQ(read(build_in(dir), "/ok"), "ok\n");
}

TEST_F(FaultTest, CancellingKillsTheStepAndCleansUp) {
  auto dir = context({{"Dockerfile", "FROM base\nRUN echo x > /x; sleep 300\n"}});
  asio::io_context& loop = *loops_.emplace_back(std::make_unique<asio::io_context>());
  asio::cancellation_signal stop;
  std::exception_ptr failure;
  executor_->started = [&] { asio::post(loop, [&] { stop.emit(asio::cancellation_type::terminal); }); };
  auto sink = [](const Step&) {};
  auto begun = std::chrono::steady_clock::now();
  asio::co_spawn(loop, builder_->build(dir, Options{.tags = {"cancelled"}}, sink),
                 asio::bind_cancellation_slot(stop.slot(),
                                              [&](std::exception_ptr thrown, image::ImageInfo) { failure = thrown; }));
  loop.run();
  ASSERT_TRUE(failure);
  EXPECT_TRUE(is_cancellation(failure)) << to_error(failure).message();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(20));
  EXPECT_EQ(left_in_scratch(), 0u);
  EXPECT_THROW(images_->resolve("cancelled"), Error);
}

TEST_F(FaultTest, TwoBuildsAtOnce) {
  auto one = context({{"Dockerfile", "FROM base\nCOPY f /f\nCOPY f /g\nWORKDIR /w\n"}, {"f", "same"}});
  auto two = context({{"Dockerfile", "FROM base\nCOPY f /f\nCOPY f /g\nWORKDIR /w\n"}, {"f", "same"}});
  asio::io_context& loop = *loops_.emplace_back(std::make_unique<asio::io_context>());
  auto sink = [](const Step&) {};
  std::exception_ptr failure;
  std::vector<image::ImageInfo> images;
  for (const auto& dir : {one, two})
    asio::co_spawn(loop, builder_->build(dir, Options{.tags = {"pair"}}, sink),
                   [&](std::exception_ptr thrown, image::ImageInfo image) {
                     if (thrown) failure = thrown;
                     images.push_back(std::move(image));
                   });
  loop.run();
  if (failure) FAIL() << to_error(failure).message();
  EXPECT_EQ(read(images.at(0), "/g"), "same");
  EXPECT_EQ(read(images.at(1), "/g"), "same");
  EXPECT_EQ(left_in_scratch(), 0u);
}

TEST_F(FaultTest, RecoverEmptiesTheScratchDirectory) {
  make_directories(root_ / "scratch/build-left/upper");
  std::ofstream(root_ / "scratch/build-left/upper/f") << "x";
  builder_->recover();
  EXPECT_EQ(left_in_scratch(), 0u);
}

Fd tar_of(const fs::path& directory, std::vector<std::string> extra) {
  Command command;
  command.argv = {"tar", "-c"};
  command.argv.insert(command.argv.end(), extra.begin(), extra.end());
  command.directory = directory;
  auto archive = run_captured(command);
  EXPECT_EQ(archive.status.code, 0) << archive.err;
  auto path = directory / ("archive-" + random_hex(8));
  write_file(path, archive.out);
  return open_file(path, O_RDONLY);
}

TEST_F(FaultTest, ContextsAreUnpackedSafely) {
  TemporaryDirectory work("/var/tmp", "gantry-build-context-");
  make_directories(work.path() / "c/d");
  std::ofstream(work.path() / "c/d/f") << "F";
  ::chmod((work.path() / "c/d/f").c_str(), 0751);
  for (const char* compression : {"--no-auto-compress", "-z", "--zstd"}) {
    auto fd = tar_of(work.path(), {compression, "--owner=1234", "-C", "c", "d"});
    auto unpacked = builder_->unpack_context(fd.get());
    struct ::stat info {};
    ASSERT_EQ(::stat((unpacked / "d/f").c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, 0u);
    EXPECT_EQ(info.st_mode & 07777, 0751u);
    remove_tree(unpacked);
  }
  fs::create_symlink("/etc", work.path() / "c/out");
  auto links = tar_of(work.path(), {"-P", "--transform=s,^c/d/f,c/out/gantry-test-victim,", "c/out", "c/d/f"});
  EXPECT_THROW(builder_->unpack_context(links.get()), Error);
  EXPECT_FALSE(fs::exists("/etc/gantry-test-victim"));
  auto dots = tar_of(work.path(), {"-P", "--transform=s,^c/d/f,../gantry-test-victim,", "c/d/f"});
  EXPECT_THROW(builder_->unpack_context(dots.get()), Error);
  EXPECT_EQ(left_in_scratch(), 0u);
  write_file(work.path() / "junk", std::string(5000, 'j'));
  auto junk = open_file(work.path() / "junk", O_RDONLY);
  EXPECT_THROW(builder_->unpack_context(junk.get()), Error);
  EXPECT_EQ(left_in_scratch(), 0u);
}

}  // namespace
}  // namespace gantry::build
