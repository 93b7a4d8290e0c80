#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "archive_builder.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/image/archive.h"

namespace gantry::image {
namespace {

namespace fs = std::filesystem;
using test::ArchiveBuilder;
using ::testing::HasSubstr;

class UnpackTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(root_);
    write_file(dir_.path() / "outside", "untouched");
  }
  void TearDown() override {
    EXPECT_EQ(read_file(dir_.path() / "outside"), "untouched");
    EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator()), 2);
  }

  Unpacked unpack_bytes(std::string_view data, const UnpackOptions& options = {}) {
    Fd archive = test::file_of(data);
    Fd directory = open_file(root_.string(), O_RDONLY | O_DIRECTORY);
    return unpack_archive(archive.get(), directory.get(), options);
  }
  Unpacked unpack(ArchiveBuilder& builder) { return unpack_bytes(builder.finish()); }

  void refused(std::string_view data, const std::string& why, const UnpackOptions& options = {}) {
    try {
      unpack_bytes(data, options);
      ADD_FAILURE() << "taken, expected: " << why;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid) << error.message();
      EXPECT_THAT(error.message(), HasSubstr(why));
    }
  }
  struct stat info(const std::string& name) const {
    struct stat out {};
    EXPECT_EQ(::lstat((root_ / name).c_str(), &out), 0) << name;
    return out;
  }

  TemporaryDirectory dir_{fs::temp_directory_path(), "gantry-unpack-"};
  fs::path root_ = dir_.path() / "root";
};

TEST_F(UnpackTest, TakesEveryCompression) {
  std::string digest;
  for (int filter : {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_XZ,
                     ARCHIVE_FILTER_LZMA, ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_LZ4}) {
    auto data = ArchiveBuilder(filter).file("a", "content").finish();
    auto unpacked = unpack_bytes(data);
    if (digest.empty()) digest = unpacked.digest.str();
    EXPECT_EQ(unpacked.digest.str(), digest) << filter;
    EXPECT_EQ(unpacked.entries, 1u);
  }
  EXPECT_EQ(read_file(root_ / "a"), "content");
}

TEST_F(UnpackTest, KeepsKindsModesAndTimes) {
  ArchiveBuilder builder;
  builder.directory("d", 0500)
      .file("d/f", "x", 04751)
      .symlink("d/l", "../../../outside")
      .hard_link("h", "d/f")
      .node("p", AE_IFIFO)
      .file("/absolute", "y")
      .file("./dotted//twice", "z");
  unpack(builder);
  EXPECT_EQ(info("d").st_mode & 07777, 0500u);
  EXPECT_EQ(info("d").st_mtim.tv_sec, 1700000000);
  EXPECT_EQ(info("d/f").st_mode & 07777, 04751u);
  EXPECT_EQ(info("d/f").st_mtim.tv_sec, 1700000000);
  EXPECT_EQ(fs::read_symlink(root_ / "d/l"), "../../../outside");
  EXPECT_EQ(info("h").st_ino, info("d/f").st_ino);
  EXPECT_TRUE(S_ISFIFO(info("p").st_mode));
  EXPECT_EQ(read_file(root_ / "absolute"), "y");
  EXPECT_EQ(read_file(root_ / "dotted/twice"), "z");
}

TEST_F(UnpackTest, NamesAreBytes) {
  const std::string decomposed = "e\xcc\x81", composed = "\xc3\xa9", latin = "\xe9";
  ArchiveBuilder builder;
  builder.file(decomposed, "1").file(composed, "2").symlink("link", decomposed).hard_link("hard", decomposed);
  unpack(builder);
  EXPECT_EQ(read_file(root_ / decomposed), "1");
  EXPECT_EQ(read_file(root_ / composed), "2");
  EXPECT_EQ(fs::read_symlink(root_ / "link"), decomposed);
  EXPECT_EQ(info("hard").st_ino, info(decomposed).st_ino);
  unpack_bytes(ArchiveBuilder(ARCHIVE_FILTER_NONE, ARCHIVE_FORMAT_TAR_GNUTAR).file(latin, "3").finish());
  EXPECT_EQ(read_file(root_ / latin), "3");
}

TEST_F(UnpackTest, LongNamesAndSparseFiles) {
  std::string deep;
  for (int i = 0; i < 12; ++i) deep += std::string(60, static_cast<char>('a' + i)) + "/";
  ArchiveBuilder builder;
  builder.file(deep + "file", "deep").file("sparse", std::string(1u << 20, 'x'), 0644, [](::archive_entry* entry) {
    archive_entry_sparse_add_entry(entry, 1 << 19, 4096);
  });
  unpack(builder);
  EXPECT_EQ(read_file(root_ / (deep + "file")), "deep");
  EXPECT_EQ(info("sparse").st_size, 1 << 20);
  EXPECT_LT(info("sparse").st_blocks * 512, 1 << 19);
}

TEST_F(UnpackTest, NamesThatLeaveTheDirectoryAreRefused) {
  for (const auto& name : {"../outside", "a/../../outside", "..", "/../outside", "a/.."})
    refused(ArchiveBuilder().file(name, "evil").finish(), "'..'");
  refused(ArchiveBuilder().file("a", "x").hard_link("b", "../outside").finish(), "'..'");
  refused(ArchiveBuilder().file(std::string(300, 'n'), "x").finish(), "longer than 255");
}

TEST_F(UnpackTest, LinksAreNeverFollowed) {
  auto out = dir_.path().string();
  refused(ArchiveBuilder().symlink("l", out).file("l/outside", "evil").finish(), "is a symbolic link");
  refused(ArchiveBuilder().symlink("l2", out).directory("l2/new").finish(), "is a symbolic link");
  refused(ArchiveBuilder().symlink("l3", "..").symlink("l3/x", "y").finish(), "is a symbolic link");
  refused(ArchiveBuilder().symlink("l4", "..").hard_link("h", "l4/outside").finish(), "is a symbolic link");
  refused(ArchiveBuilder().symlink("l5", "..").file("l5/.wh.outside", "").finish(), "is a symbolic link");
  refused(ArchiveBuilder().symlink("l6", "..").file("l6/.wh..wh..opq", "").finish(), "is a symbolic link");
}

TEST_F(UnpackTest, ALinkIsReplacedNotWrittenThrough) {
  ArchiveBuilder builder;
  builder.symlink("l", dir_.path().string() + "/outside").file("l", "inside", 0600);
  builder.symlink("h0", dir_.path().string() + "/outside").hard_link("h1", "h0").file("h1", "again");
  unpack(builder);
  EXPECT_TRUE(S_ISREG(info("l").st_mode));
  EXPECT_EQ(read_file(root_ / "l"), "inside");
  EXPECT_EQ(read_file(root_ / "h1"), "again");
}

TEST_F(UnpackTest, HardLinksOnlyToWhatIsThere) {
  refused(ArchiveBuilder().hard_link("h", "missing").finish(), "does not hold before it");
  refused(ArchiveBuilder().directory("d").hard_link("h", "d").finish(), "the directory");
  refused(ArchiveBuilder().hard_link("h", "h").finish(), "to itself");
}

TEST_F(UnpackTest, DuplicatesTheLastFileWinsDirectoriesStay) {
  unpack_bytes(ArchiveBuilder().file("a", "1").hard_link("b", "a").file("a", "2").finish());
  EXPECT_EQ(read_file(root_ / "a"), "2");
  EXPECT_EQ(read_file(root_ / "b"), "1");
  unpack_bytes(ArchiveBuilder().directory("d", 0755).file("d/x", "x").directory("d", 0700).finish());
  EXPECT_EQ(info("d").st_mode & 07777, 0700u);
  EXPECT_EQ(read_file(root_ / "d/x"), "x");
  refused(ArchiveBuilder().directory("e").file("e", "x").finish(), "twice");
  refused(ArchiveBuilder().file("f", "x").file("f/g", "x").finish(), "not a directory");
  refused(ArchiveBuilder().file(".", "x").finish(), "the root is not a directory");
}

TEST_F(UnpackTest, DamagedArchivesAreRefused) {
  auto whole = ArchiveBuilder().file("a", std::string(5000, 'a')).file("b", "b").finish();
  auto packed = ArchiveBuilder(ARCHIVE_FILTER_GZIP).file("a", std::string(5000, 'a')).finish();
  refused("", "is empty");
  refused("this is no archive, whatever one may say of it", "not a tar");
  refused(whole.substr(0, 3000), "cut off");
  refused(whole.substr(0, whole.size() - 1024), "cut off");
  refused(packed.substr(0, packed.size() - 12), "");
  refused(whole + "garbage", "behind its end");
  refused(whole + std::string(4096, '\0') + "x", "behind its end");
  refused(packed + "garbage", "behind the end");
  auto damaged = whole;
  damaged[150] = 'x';
  refused(damaged, "");
  unpack_bytes(whole + std::string(8192, '\0'));
}

TEST_F(UnpackTest, AttributesThatImagesCannotHaveAreRefused) {
  auto with = [](const char* name) {
    return ArchiveBuilder()
        .file("f", "x", 0644, [name](::archive_entry* entry) { archive_entry_xattr_add_entry(entry, name, "y", 1); })
        .finish();
  };
  refused(with("trusted.overlay.opaque"), "trusted.overlay.opaque");
  refused(with("trusted.overlay.redirect"), "cannot have");
  refused(with("other.thing"), "cannot have");
  unpack_bytes(with("security.selinux"));
  refused(ArchiveBuilder().node("w", AE_IFCHR, 0, 0).finish(), "0:0");
  auto when = [](::archive_entry* entry) { archive_entry_set_mtime(entry, INT64_MIN, 0); };
  refused(ArchiveBuilder().file("f", "x", 0644, when).finish(), "farther away than any date");
  auto owner = [](::archive_entry* entry) { archive_entry_set_uid(entry, 1LL << 40); };
  refused(ArchiveBuilder().file("f", "x", 0644, owner).finish(), "not a user id");
}

TEST_F(UnpackTest, BuildContextsHaveNoDevicesAndNoOwners) {
  UnpackOptions context{.whiteouts = false, .attributes = false};
  refused(ArchiveBuilder().node("dev", AE_IFBLK, 8, 0).finish(), "is a device", context);
  unpack_bytes(ArchiveBuilder().file(".wh.kept", "x").finish(), context);
  EXPECT_EQ(read_file(root_ / ".wh.kept"), "x");
}

TEST_F(UnpackTest, WhiteoutsOfNothingAreRefused) {
  for (const auto& name : {".wh.", ".wh..", ".wh..."})
    refused(ArchiveBuilder().file(name, "").finish(), "deletes no valid name");
  unpack_bytes(ArchiveBuilder().file(".wh..wh.plnk", "").finish());
  EXPECT_TRUE(fs::is_empty(root_));
}

// Seeded: the same damage every run. A sane archive with bytes changed either unpacks or is refused; nothing else.
TEST_F(UnpackTest, SurvivesDamageAnywhere) {
  auto whole = ArchiveBuilder()
                   .directory("d")
                   .file("d/" + std::string(120, 'n'), std::string(700, 'c'))
                   .symlink("d/s", "../outside")
                   .hard_link("d/h", "d/s")
                   .finish();
  std::uint64_t state = 7;
  auto random = [&state](std::size_t bound) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::size_t>((state >> 33) % bound);
  };
  for (int round = 0; round < 300; ++round) {
    auto damaged = whole;
    for (std::size_t changes = 1 + random(4); changes > 0; --changes)
      damaged[random(damaged.size())] = static_cast<char>(random(256));
    if (round % 8 == 0) damaged.resize(random(damaged.size()));
    remove_tree(root_);
    fs::create_directory(root_);
    try {
      unpack_bytes(damaged);
    } catch (const Error& error) {
      EXPECT_NE(error.kind(), ErrorKind::internal) << error.message();
    }
  }
}

}  // namespace
}  // namespace gantry::image
