#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>

#include "archive_builder.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/image/image_store.h"
#include "layer_tar.h"
#include "overlay.h"

namespace gantry::image {
namespace {

namespace fs = std::filesystem;
using test::ArchiveBuilder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Mount {
 public:
  Mount(const std::string& type, fs::path at, const std::string& options) : at_(std::move(at)) {
    fs::create_directories(at_);
    if (::mount(type.c_str(), at_.c_str(), type.c_str(), 0, options.c_str()) < 0) throw_errno("mount " + at_.string());
  }
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  ~Mount() { ::umount2(at_.c_str(), MNT_DETACH); }

 private:
  fs::path at_;
};

class LayersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: overlay mounts and device nodes";
    images_ = std::make_unique<ImageStore>(database_, content_, dir_.path() / "layers");
  }
  std::string import(ArchiveBuilder& builder) {
    Fd archive = builder.open();
    return images_->import_layer(archive.get(), *lease_(), {});
  }
  std::shared_ptr<ImageStore::Lease> lease_() {
    if (!held_) held_ = images_->lease();
    return held_;
  }
  // Runs `change` in an overlay over `lower` and returns the upper directory.
  fs::path upper_of(const std::string& lower, const std::string& name,
                    const std::function<void(const fs::path&)>& change) {
    auto upper = dir_.path() / (name + "-upper"), work = dir_.path() / (name + "-work"), at = dir_.path() / name;
    fs::create_directory(upper);
    fs::create_directory(work);
    Mount overlay("overlay", at,
                  "redirect_dir=off,metacopy=off,lowerdir=" + images_->layer_path(lower).string() +
                      ",upperdir=" + upper.string() + ",workdir=" + work.string());
    change(at);
    return upper;
  }
  static std::string tar_of(const fs::path& directory) {
    Fd fd = open_file(directory.string(), O_RDONLY | O_DIRECTORY);
    std::string out;
    write_layer_tar(fd.get(), [&](std::string_view piece) { out += piece; });
    return out;
  }
  static std::vector<std::string> names_in(const std::string& tar) {
    std::unique_ptr<::archive, int (*)(::archive*)> reader(archive_read_new(), archive_read_free);
    archive_read_support_format_tar(reader.get());
    archive_read_open_memory(reader.get(), tar.data(), tar.size());
    std::vector<std::string> out;
    ::archive_entry* entry = nullptr;
    while (archive_read_next_header(reader.get(), &entry) == ARCHIVE_OK)
      out.emplace_back(archive_entry_pathname(entry));
    return out;
  }
  static std::vector<std::string> names_below(const fs::path& directory) {
    std::vector<std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(directory))
      out.push_back(fs::relative(entry.path(), directory));
    std::sort(out.begin(), out.end());
    return out;
  }

  TemporaryDirectory dir_{fs::temp_directory_path(), "gantry-layers-"};
  store::Database database_{dir_.path() / "db", {schema()}};
  content::ContentStore content_{dir_.path() / "content"};
  std::unique_ptr<ImageStore> images_;
  std::shared_ptr<ImageStore::Lease> held_;
};

TEST_F(LayersTest, ImportKeepsEveryAttribute) {
  auto owned = [](::archive_entry* entry) {
    archive_entry_set_uid(entry, 1234);
    archive_entry_set_gid(entry, 70000);
    archive_entry_xattr_add_entry(entry, "user.note", "text", 4);
    // cap_net_raw+ep, VFS_CAP_REVISION_2
    archive_entry_xattr_add_entry(entry, "security.capability",
                                  "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
                                  20);
  };
  ArchiveBuilder builder;
  builder.file("f", "x", 04755, owned).node("null", AE_IFCHR, 1, 3).node("disk", AE_IFBLK, 8, 1);
  auto root = images_->layer_path(import(builder));
  struct stat info {};
  ASSERT_EQ(::stat((root / "f").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 1234u);
  EXPECT_EQ(info.st_gid, 70000u);
  EXPECT_EQ(info.st_mode & 07777, 04755u);
  char value[64];
  EXPECT_EQ(::getxattr((root / "f").c_str(), "user.note", value, sizeof value), 4);
  EXPECT_EQ(::getxattr((root / "f").c_str(), "security.capability", value, sizeof value), 20);
  ASSERT_EQ(::stat((root / "null").c_str(), &info), 0);
  EXPECT_TRUE(S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3));
  ASSERT_EQ(::stat((root / "disk").c_str(), &info), 0);
  EXPECT_TRUE(S_ISBLK(info.st_mode) && info.st_rdev == makedev(8, 1));
}

TEST_F(LayersTest, WhiteoutsBecomeOverlayForm) {
  ArchiveBuilder below, above;
  below.file("gone", "x")
      .directory("cleared")
      .file("cleared/old", "x")
      .directory("remade")
      .file("remade/old", "x")
      .file("kept", "x");
  above.file(".wh.gone", "").file("cleared/.wh..wh..opq", "").file("cleared/new", "y");
  above.file(".wh.remade", "").directory("remade").file("remade/new", "y");
  auto lower = images_->layer_path(import(below)), upper = images_->layer_path(import(above));
  struct stat info {};
  ASSERT_EQ(::lstat((upper / "gone").c_str(), &info), 0);
  EXPECT_TRUE(is_whiteout(info));
  auto at = dir_.path() / "merged";
  Mount overlay("overlay", at, "lowerdir=" + upper.string() + ":" + lower.string());
  EXPECT_THAT(names_below(at), ElementsAre("cleared", "cleared/new", "kept", "remade", "remade/new"));
}

TEST_F(LayersTest, WhatAnOverlayChangedComesBackFromItsTar) {
  ArchiveBuilder below;
  below.file("gone", "x").directory("cleared").file("cleared/old", "x").file("kept", "x").file("changed", "before");
  auto base = import(below);
  auto upper = upper_of(base, "run", [](const fs::path& root) {
    fs::remove(root / "gone");
    fs::remove_all(root / "cleared");
    fs::create_directory(root / "cleared");
    write_file(root / "cleared/new", "new", 0640);
    write_file(root / "changed", "after", 0644);
    fs::create_hard_link(root / "changed", root / "changed-too");
    fs::create_symlink("/etc/passwd", root / "link");
    ASSERT_EQ(::mknod((root / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
    ASSERT_EQ(::mkfifo((root / "pipe").c_str(), 0600), 0);
    ASSERT_EQ(::setxattr((root / "changed").c_str(), "user.note", "v", 1, 0), 0);
    ASSERT_EQ(::lchown((root / "link").c_str(), 7, 8), 0);
  });
  auto tar = tar_of(upper);
  EXPECT_THAT(names_in(tar), ElementsAre("changed", "changed-too", "cleared/", "cleared/.wh..wh..opq", "cleared/new",
                                         ".wh.gone", "link", "null", "pipe"));
  auto diff_id = images_->commit_layer(upper, {}, lease_().get());
  EXPECT_EQ(diff_id, oci::Digest::of(tar).str());
  EXPECT_FALSE(fs::exists(upper));

  // The tar, taken as another machine would take it, gives the same layer again.
  Fd file = test::file_of(tar);
  images_->import_layer(file.get(), *lease_(), {});
  auto root = images_->layer_path(diff_id);
  EXPECT_EQ(tar_of(root), tar);
  EXPECT_LT(::lgetxattr((root / "cleared").c_str(), "trusted.overlay.origin", nullptr, 0), 0);

  TemporaryDirectory elsewhere(dir_.path(), "other-");
  ImageStore other(database_, content_, elsewhere.path() / "layers");
  auto lease = other.lease();
  Fd again = test::file_of(tar);
  auto unpacked = other.import_layer(again.get(), *lease, {});
  EXPECT_EQ(unpacked, diff_id);
  EXPECT_EQ(tar_of(other.layer_path(unpacked)), tar);
}

TEST_F(LayersTest, EqualContentGivesEqualDiffIds) {
  auto make = [&](const std::string& name, bool reverse) {
    auto upper = dir_.path() / name;
    fs::create_directory(upper);
    for (int i = 0; i < 50; ++i) write_file(upper / std::to_string(reverse ? 49 - i : i), "content", 0644);
    timespec times[2] = {{1700000000, reverse ? 1 : 2}, {1700000000, reverse ? 3 : 4}};
    for (const auto& entry : fs::directory_iterator(upper)) ::utimensat(AT_FDCWD, entry.path().c_str(), times, 0);
    return upper;
  };
  auto one = images_->commit_layer(make("one", false), {}, lease_().get());
  auto two = images_->commit_layer(make("two", true), {}, lease_().get());
  EXPECT_EQ(one, two);
  EXPECT_FALSE(fs::exists(dir_.path() / "two"));
  EXPECT_TRUE(fs::is_empty(dir_.path() / "layers/ingest"));
}

TEST_F(LayersTest, PrivateOverlayAttributesAndSocketsAreNotKept) {
  auto upper = dir_.path() / "upper";
  fs::create_directory(upper);
  write_file(upper / "f", "x", 0644);
  fs::create_directory(upper / "opaque");
  ASSERT_EQ(::setxattr(upper.c_str(), "trusted.overlay.impure", "y", 1, 0), 0);
  ASSERT_EQ(::setxattr((upper / "f").c_str(), "trusted.overlay.origin", "o", 1, 0), 0);
  ASSERT_EQ(::setxattr((upper / "opaque").c_str(), kOpaque, "y", 1, 0), 0);
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (upper / "s").string().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  auto root = images_->layer_path(images_->commit_layer(upper, {}, lease_().get()));
  EXPECT_FALSE(fs::exists(root / "s"));
  EXPECT_LT(::getxattr(root.c_str(), "trusted.overlay.impure", nullptr, 0), 0);
  EXPECT_LT(::getxattr((root / "f").c_str(), "trusted.overlay.origin", nullptr, 0), 0);
  EXPECT_EQ(::getxattr((root / "opaque").c_str(), kOpaque, nullptr, 0), 1);
}

TEST_F(LayersTest, IncompleteUppersAreRefusedAndStay) {
  auto upper = dir_.path() / "upper";
  fs::create_directory(upper);
  fs::create_directory(upper / "moved");
  ASSERT_EQ(::setxattr((upper / "moved").c_str(), "trusted.overlay.redirect", "/x", 2, 0), 0);
  try {
    images_->commit_layer(upper, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_THAT(error.fix(), HasSubstr("redirect_dir=off"));
  }
  EXPECT_TRUE(fs::exists(upper / "moved"));
  ::removexattr((upper / "moved").c_str(), "trusted.overlay.redirect");
  write_file(upper / ".wh.trick", "");
  EXPECT_THROW(images_->commit_layer(upper, {}), Error);
}

TEST_F(LayersTest, AFullDiskIsAClearErrorAndGivesSpaceBack) {
  auto at = dir_.path() / "small";
  Mount small("tmpfs", at, "size=16m,mode=0700");
  ImageStore images(database_, content_, at / "layers");
  auto free = [&] { return fs::space(at).available; };
  auto before = free();
  ArchiveBuilder bomb(ARCHIVE_FILTER_GZIP);
  bomb.file("small", "x").file("zeros", std::string(64u << 20, '\0'));
  Fd archive = bomb.open();
  try {
    images.import(archive.get(), "bomb", {}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::exhausted) << error.message();
    EXPECT_THAT(error.fix(), HasSubstr("free disk space"));
  }
  EXPECT_EQ(free(), before);
  EXPECT_TRUE(images.list().empty());
  ArchiveBuilder modest;
  modest.file("f", "fits");
  Fd second = modest.open();
  EXPECT_EQ(images.import(second.get(), "fits", {}, {}).references.size(), 1u);
}

}  // namespace
}  // namespace gantry::image
