// Layers as file-system images: whatever an archive holds, the kernel shows the same tree of the image as of a
// directory that it was unpacked to, and what is refused for the one is refused for the other.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <vector>

#include "archive_builder.h"
#include "archive_reader.h"
#include "erofs_writer.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/oci/digest.h"
#include "layer_mounts.h"
#include "tree_writer.h"
#include "unpack.h"

namespace gantry::image {
namespace {

namespace fs = std::filesystem;
using test::ArchiveBuilder;
using ::testing::HasSubstr;

constexpr std::int64_t kBeforeNow = 1750000000;  // archives of these tests say 1700000000; what they do not say is now

class ErofsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: mounts and device nodes";
    mounts_.emplace(dir_.path() / "mounts");
    ASSERT_EQ(mounts_->obstacle(), "");
  }

  static void unpack(const std::string& archive, TreeSink& sink) {
    Fd file = test::file_of(archive);
    PlainStream stream(file.get(), {});
    unpack_tar(stream, sink, {}, nullptr);
  }
  fs::path as_image(const std::string& archive) {
    auto path = dir_.path() / ("image" + std::to_string(++count_));
    Fd file = open_file(path.string(), O_RDWR | O_CREAT | O_EXCL, 0600);
    ErofsWriter writer(file.get());
    unpack(archive, writer);
    EXPECT_GT(writer.on_disk(), 0u);
    return mounts_->mounted(path.filename(), path);
  }
  fs::path as_directory(const std::string& archive) {
    auto path = dir_.path() / ("tree" + std::to_string(++count_));
    fs::create_directory(path);
    Fd directory = open_file(path.string(), O_RDONLY | O_DIRECTORY);
    TreeWriter writer(directory.get());
    unpack(archive, writer);
    return path;
  }

  static std::string xattrs_of(const std::string& path) {
    std::string names(1 << 16, '\0'), out;
    auto size = ::llistxattr(path.c_str(), names.data(), names.size());
    EXPECT_GE(size, 0) << path;
    std::vector<std::string> sorted;
    for (std::size_t at = 0; at < static_cast<std::size_t>(size); at += sorted.back().size() + 1)
      sorted.emplace_back(names.c_str() + at);
    std::sort(sorted.begin(), sorted.end());
    for (const auto& name : sorted) {
      std::string value(1 << 16, '\0');
      auto length = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
      EXPECT_GE(length, 0) << path << " " << name;
      value.resize(static_cast<std::size_t>(length));
      out += " " + name + "=" + oci::Digest::of(value).hex().substr(0, 8);
    }
    return out;
  }
  /// Everything there is to see of a file; the name of the first one that is the same file.
  static std::string describe(const fs::path& path, std::map<std::uint64_t, std::string>& first,
                              const std::string& name) {
    struct stat info {};
    EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
    bool directory = S_ISDIR(info.st_mode);
    char text[256];
    std::snprintf(text, sizeof text, "%o %u:%u links %u", info.st_mode, info.st_uid, info.st_gid,
                  static_cast<unsigned>(info.st_nlink));
    auto out = name + " " + text;
    if (!directory) out += " size " + std::to_string(info.st_size);
    if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode))
      out += " device " + std::to_string(major(info.st_rdev)) + ":" + std::to_string(minor(info.st_rdev));
    out += info.st_mtim.tv_sec < kBeforeNow
               ? " at " + std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec)
               : " at now";
    if (S_ISLNK(info.st_mode)) out += " to " + fs::read_symlink(path).string();
    if (S_ISREG(info.st_mode)) out += " " + oci::Digest::of(read_file(path)).hex().substr(0, 12);
    if (!directory) out += " as " + first.try_emplace(info.st_ino, name).first->second;
    return out + xattrs_of(path.string());
  }
  static std::vector<std::string> listing(const fs::path& root) {
    std::vector<std::string> names{"."}, out;
    for (const auto& entry : fs::recursive_directory_iterator(root))
      names.push_back(entry.path().lexically_relative(root).string());
    std::sort(names.begin(), names.end());
    std::map<std::uint64_t, std::string> first;
    for (const auto& name : names) out.push_back(describe(root / name, first, name));
    return out;
  }

  /// The listing, or what was refused: the same of both.
  std::vector<std::string> both(const std::string& archive) {
    auto tried = [&](auto make) -> std::vector<std::string> {
      try {
        return listing(make());
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::invalid) << error.message();
        return {error.message()};
      }
    };
    auto directory = tried([&] { return as_directory(archive); });
    auto image = tried([&] { return as_image(archive); });
    EXPECT_EQ(directory, image);
    return image;
  }
  void refused(ArchiveBuilder& builder, const std::string& why) {
    auto said = both(builder.finish());
    ASSERT_EQ(said.size(), 1u);
    EXPECT_THAT(said[0], HasSubstr(why));
  }

  TemporaryDirectory dir_{fs::temp_directory_path(), "gantry-erofs-"};
  std::optional<LayerMounts> mounts_;
  int count_ = 0;
};

std::string bytes(std::size_t size, unsigned seed = 1) {
  std::minstd_rand random(seed);
  std::string out(size, '\0');
  for (auto& c : out) c = static_cast<char>(random());
  return out;
}

ArchiveBuilder::Tweak with(const std::string& xattr, const std::string& value) {
  return
      [=](::archive_entry* entry) { archive_entry_xattr_add_entry(entry, xattr.c_str(), value.data(), value.size()); };
}

TEST_F(ErofsTest, AnEmptyArchiveIsAnEmptyTree) {
  auto tree = as_image(ArchiveBuilder().finish());
  EXPECT_EQ(std::distance(fs::directory_iterator(tree), fs::directory_iterator()), 0);
}

TEST_F(ErofsTest, EveryKindAndAttribute) {
  ArchiveBuilder builder;
  builder.directory(".", 0711).directory("d", 01777).directory("d/shut", 0000).file("d/f", "x", 06755);
  builder.file("owned", "y", 0640, [](::archive_entry* entry) {
    archive_entry_set_uid(entry, 4000000000);
    archive_entry_set_gid(entry, 70000);
    archive_entry_set_mtime(entry, -5, 123456789);
  });
  builder.symlink("l", "../../etc/passwd")
      .symlink("long", std::string(4000, 'l'))
      .symlink("longest", std::string(4095, 'm'));
  builder.node("pipe", AE_IFIFO).node("null", AE_IFCHR, 1, 3).node("far", AE_IFBLK, 259, 1048575);
  builder.hard_link("h", "d/f").hard_link("d/h2", "h").hard_link("hl", "l").hard_link("hp", "null");
  builder.file("implied/below/here", "z");
  builder.file(
      "acl", "a", 0644,
      with("system.posix_acl_access", std::string("\2\0\0\0\1\0\6\0\xff\xff\xff\xff\2\0\4\0\x39\5\0\0\4\0\4\0\xff\xff"
                                                  "\xff\xff\x10\0\4\0\xff\xff\xff\xff\x20\0\4\0\xff\xff\xff\xff",
                                                  44)));
  builder.file("cap", "c", 0755,
               with("security.capability", std::string("\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20)));
  builder.file("user", "u", 0644, with("user.one", bytes(300))).directory("du", 0755, with("user.two", "2"));
  auto seen = both(builder.finish());
  EXPECT_THAT(seen, ::testing::Contains(HasSubstr("d/f 106755 0:0 links 3")));
  EXPECT_THAT(seen, ::testing::Contains(HasSubstr("owned 100640 4000000000:70000")));
  EXPECT_THAT(seen, ::testing::Contains(HasSubstr("far 60600 0:0 links 1 size 0 device 259:1048575")));
}

TEST_F(ErofsTest, ContentsOfEverySize) {
  ArchiveBuilder builder;
  unsigned number = 0;
  for (std::size_t size : {0,    1,    31,   63,   64,   2047, 2048,  2049,  3967,  4031,  4032,  4033,    4095,   4096,
                           4097, 6143, 6144, 6145, 8191, 8192, 65535, 65536, 98303, 98304, 98305, 1000000, 5000000})
    for (int twice = 0; twice < 2; ++twice, ++number)
      builder.file("f" + std::to_string(number), bytes(size, number + 1), 0644,
                   twice == 1 ? with("user.x", bytes(size % 500, 7)) : ArchiveBuilder::Tweak());
  EXPECT_EQ(both(builder.finish()).size(), number + 1);
}

TEST_F(ErofsTest, SparseFilesStaySparse) {
  ArchiveBuilder builder;
  std::string content(8u << 20, '\0');
  content.replace(5u << 20, 4096, bytes(4096));
  builder.file("sparse", content, 0644,
               [](::archive_entry* entry) { archive_entry_sparse_add_entry(entry, 5 << 20, 4096); });
  auto archive = builder.finish();
  both(archive);
  auto path = dir_.path() / "sparse-image";
  Fd file = open_file(path.string(), O_RDWR | O_CREAT | O_EXCL, 0600);
  ErofsWriter writer(file.get());
  unpack(archive, writer);
  EXPECT_LT(writer.on_disk(), 1u << 20);
}

TEST_F(ErofsTest, DirectoriesOfManyNames) {
  ArchiveBuilder builder;
  for (int i = 0; i < 5000; ++i)
    builder.file("many/" + std::to_string(i * 7919 % 5000) + std::string(i % 200, 'n'), "");
  for (const auto* name : {"!", "-", ".a", "..a", "...", "~", "\x01", "\xff\xfe", " "})
    builder.file(std::string("odd/") + name, "o");
  std::string deep;
  for (int i = 0; i < 300; ++i) builder.directory(deep += "d" + std::to_string(i) + "/");
  auto seen = both(builder.finish());
  EXPECT_EQ(seen.size(), 5000u + 9 + 300 + 3);
  // The kernel finds each by its name, not only in a list.
  auto tree = as_image(ArchiveBuilder().file("x/b", "1").file("x/a", "2").file("x/aa", "3").finish());
  EXPECT_EQ(read_file(tree / "x/b") + read_file(tree / "x/a") + read_file(tree / "x/aa"), "123");
  EXPECT_FALSE(fs::exists(tree / "x/ab"));
}

TEST_F(ErofsTest, WhiteoutsAndOpaqueDirectories) {
  ArchiveBuilder builder;
  builder.directory("d").file("d/.wh.gone", "").file("d/.wh..wh..opq", "").file("d/kept", "k").file(".wh.top", "");
  builder.file(".wh.back", "")
      .directory("back")
      .file("implied/.wh..wh..opq", "")
      .file(".wh.file", "")
      .file("file", "f");
  auto seen = both(builder.finish());
  EXPECT_THAT(seen, ::testing::Contains(HasSubstr("d/gone 20000 0:0 links 1 size 0 device 0:0")));
  EXPECT_EQ(
      std::count_if(seen.begin(), seen.end(),
                    [](const std::string& line) { return line.find("trusted.overlay.opaque") != std::string::npos; }),
      3);
}

TEST_F(ErofsTest, TheLastOfANameWins) {
  ArchiveBuilder builder;
  builder.file("f", "one").hard_link("h", "f").file("f", "two", 0600).symlink("s", "x").file("s", bytes(200000));
  builder.directory("d", 0700).file("d/x", "1").directory("d", 0755).file("big", bytes(150000)).file("big", "small");
  both(builder.finish());
}

TEST_F(ErofsTest, WhatCannotBeIsRefusedInTheSameWords) {
  refused(ArchiveBuilder().symlink("l", "/etc").file("l/passwd", "evil"), "is a symbolic link");
  refused(ArchiveBuilder().symlink("l", "..").hard_link("h", "l/outside"), "is a symbolic link");
  refused(ArchiveBuilder().file("f", "").file("f/x", ""), "is not a directory");
  refused(ArchiveBuilder().hard_link("h", "missing"), "does not hold before it");
  refused(ArchiveBuilder().hard_link("h", "no/where"), "does not hold before it");
  refused(ArchiveBuilder().directory("d").hard_link("h", "d"), "the directory");
  refused(ArchiveBuilder().hard_link("h", "h"), "to itself");
  refused(ArchiveBuilder().directory("d").file("d", ""), "as a directory and as something else");
  refused(ArchiveBuilder().node("c", AE_IFCHR, 0, 0), "takes for a deletion");
  refused(ArchiveBuilder().file("x", "", 0644, with("trusted.overlay.redirect", "/")), "which images cannot have");
  refused(ArchiveBuilder().file(".", ""), "the root is not a directory");
}

TEST_F(ErofsTest, WhatNoFileSystemWouldTakeIsRefused) {
  const std::string acl("\2\0\0\0\1\0\6\0\xff\xff\xff\xff\4\0\4\0\xff\xff\xff\xff\x20\0\4\0\xff\xff\xff\xff", 28);
  const std::string unordered("\2\0\0\0\4\0\4\0\xff\xff\xff\xff\1\0\6\0\xff\xff\xff\xff\x20\0\4\0\xff\xff\xff\xff", 28);
  auto neither = [&](ArchiveBuilder& builder) {
    auto archive = builder.finish();
    EXPECT_THROW(as_directory(archive), Error);
    try {
      as_image(archive);
      ADD_FAILURE() << "it is taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid);
      EXPECT_THAT(error.message(), HasSubstr("archive entry \"x\": "));
    }
  };
  for (const auto& [name, value] :
       std::map<std::string, std::string>{{"system.posix_acl_access", "nonsense"},
                                          {"system.posix_acl_default", acl},
                                          {"security.capability", std::string("\1\0\0\7", 4)},
                                          {"user." + std::string(300, 'n'), ""}})
    neither(ArchiveBuilder().file("x", "", 0644, with(name, value)));
  neither(ArchiveBuilder().file("x", "", 0644, with("system.posix_acl_access", unordered)));
  neither(ArchiveBuilder().directory("x", 0755, with("system.posix_acl_access", "nonsense")));
  neither(ArchiveBuilder().symlink("x", "y", with("user.one", "1")));
  neither(ArchiveBuilder().symlink("x", "y", with("system.posix_acl_access", acl)));
  neither(ArchiveBuilder().node("x", AE_IFCHR, 0, 1u << 20));
  neither(ArchiveBuilder().node("x", AE_IFBLK, 1u << 12, 0));
  both(ArchiveBuilder().directory("d", 0755, with("system.posix_acl_default", acl)).finish());
  both(ArchiveBuilder().file("f", "", 0644, with("system.posix_acl_access", std::string("\2\0\0\0", 4))).finish());
}

// A few bytes make a file of any size; nobody may pay for it.
TEST_F(ErofsTest, AHugeHoleCostsNothing) {
  auto path = dir_.path() / "huge";
  Fd file = open_file(path.string(), O_RDWR | O_CREAT | O_EXCL, 0600);
  ErofsWriter writer(file.get());
  constexpr std::uint64_t kHuge = 1ull << 42;
  writer.file(EntryName{{"f"}}, {.mode = 0644}, kHuge, [](const TreeSink::Content& take) { take("end", kHuge - 3); });
  writer.finish();
  EXPECT_LT(writer.on_disk(), 1u << 20);
  auto began = std::chrono::steady_clock::now();
  auto at = mounts_->mounted("huge", path);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
  EXPECT_EQ(fs::file_size(at / "f"), kHuge);
  Fd made = open_file((at / "f").string(), O_RDONLY);
  char end[4] = {};
  EXPECT_EQ(::pread(made.get(), end, 3, kHuge - 3), 3);
  EXPECT_STREQ(end, "end");
}

// Few names and many entries, so that they meet in every way.
TEST_F(ErofsTest, AnyArchive) {
  const std::vector<std::string> names{"a", "b", "a/b", "a/c", "a/b/c", "b/a", "b/a/c", "c"};
  auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::minstd_rand random(seed);
  auto any = [&](std::size_t count) { return random() % count; };
  int taken = 0;
  for (int round = 0; round < 300; ++round) {
    ArchiveBuilder builder;
    auto entries = 1 + any(12);
    for (std::size_t i = 0; i < entries; ++i) {
      const auto& name = names[any(names.size())];
      auto slash = name.rfind('/');
      auto whiteout =
          slash == std::string::npos ? ".wh." + name : name.substr(0, slash + 1) + ".wh." + name.substr(slash + 1);
      switch (any(9)) {
        case 0:
        case 1:
          builder.directory(name, 0700 + static_cast<unsigned>(any(64)));
          break;
        case 2:
        case 3:
          builder.file(name, bytes(any(9000), static_cast<unsigned>(any(1000)) + 1));
          break;
        case 4:
          builder.hard_link(name, names[any(names.size())]);
          break;
        case 5:
          builder.symlink(name, names[any(names.size())]);
          break;
        case 6:
          builder.file(whiteout, "");
          break;
        case 7:
          builder.file(name + "/.wh..wh..opq", "");
          break;
        default:
          builder.node(name, AE_IFIFO);
          break;
      }
    }
    taken += both(builder.finish()).size() > 1 ? 1 : 0;
    mounts_->release("image" + std::to_string(count_));
    if (HasFailure()) FAIL() << "round " << round;
  }
  EXPECT_GT(taken, 20);
}

// -- mounts

std::string image_of(const fs::path& path, const std::string& content) {
  Fd file = open_file(path.string(), O_RDWR | O_CREAT | O_EXCL, 0600);
  ErofsWriter writer(file.get());
  writer.small_file(EntryName::parse("f"), {.mode = 0644}, content);
  writer.finish();
  return path.string();
}
std::size_t mounts_below(const fs::path& path) {
  auto table = read_file("/proc/self/mountinfo");
  std::size_t count = 0;
  for (auto at = table.find(" " + path.string() + "/"); at != std::string::npos;
       at = table.find(" " + path.string() + "/", at + 1))
    ++count;
  return count;
}

TEST_F(ErofsTest, AMountIsSharedReplacedAndTakenAway) {
  auto one = image_of(dir_.path() / "one", "1"), two = image_of(dir_.path() / "two", "2");
  auto at = mounts_->mounted("x", one);
  EXPECT_EQ(mounts_->mounted("x", one), at);
  EXPECT_EQ(mounts_below(dir_.path() / "mounts"), 1u);
  EXPECT_EQ(read_file(at / "f"), "1");
  Fd held = open_file((at / "f").string(), O_RDONLY);
  mounts_->supersede("x");
  mounts_->supersede("never mounted");
  EXPECT_EQ(read_file(at / "f"), "1") << "who was told the place keeps it";
  EXPECT_EQ(read_file(mounts_->mounted("x", two) / "f"), "2");
  EXPECT_EQ(mounts_below(dir_.path() / "mounts"), 2u);
  mounts_->drop_superseded("x");
  EXPECT_EQ(mounts_below(dir_.path() / "mounts"), 1u);
  EXPECT_EQ(read_file(mounts_->mounted("x", one) / "f"), "2") << "it is mounted already";
  mounts_->release("x");
  mounts_->release("x");
  EXPECT_EQ(mounts_below(dir_.path() / "mounts"), 0u);
  EXPECT_EQ(read_to_end(held.get(), "f", 10), "1") << "who has it open keeps it";
  EXPECT_EQ(read_file(mounts_->mounted("x", two) / "f"), "2");
}

TEST_F(ErofsTest, WhatACrashLeftIsTakenAway) {
  auto one = image_of(dir_.path() / "one", "1"), two = image_of(dir_.path() / "two", "2");
  auto root = dir_.path() / "crashed";
  auto child = ::fork();
  if (child == 0) {
    LayerMounts mounts(root);
    mounts.mounted("x", one);
    mounts.mounted("y", one);
    ::_exit(0);  // without destructors
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_EQ(mounts_below(root), 2u);
  {
    LayerMounts mounts(root);
    EXPECT_EQ(read_file(mounts.mounted("x", two) / "f"), "2");
    EXPECT_EQ(mounts_below(root), 1u);
  }
  EXPECT_FALSE(fs::exists(root));
}

TEST_F(ErofsTest, WhatIsNoImageIsAnErrorThatSaysWhatToDo) {
  write_file(dir_.path() / "none", std::string(8192, 'x'));
  try {
    mounts_->mounted("none", dir_.path() / "none");
    FAIL() << "mounted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_THAT(error.fix(), HasSubstr("verify --repair"));
  }
  EXPECT_THROW(mounts_->mounted("missing", dir_.path() / "missing"), Error);
}

}  // namespace
}  // namespace gantry::image
