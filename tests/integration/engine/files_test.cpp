#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "fixture.h"

namespace gantry::engine {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Member {
  std::string name;
  mode_t type = S_IFREG;
  std::string content;
  std::string link;  ///< of a symbolic link
  std::string hard;  ///< of a hard link
  std::uint32_t uid = 0, gid = 0;
  mode_t mode = 0644;
};

std::string tar_of(const std::vector<Member>& members) {
  std::string out(16u << 20, '\0');
  std::size_t used = 0;
  auto* handle = archive_write_new();
  archive_write_set_format_pax_restricted(handle);
  archive_write_open_memory(handle, out.data(), out.size(), &used);
  for (const auto& member : members) {
    auto* entry = archive_entry_new();
    archive_entry_set_pathname(entry, member.name.c_str());
    archive_entry_set_filetype(entry, member.type);
    archive_entry_set_perm(entry, member.mode);
    archive_entry_set_uid(entry, member.uid);
    archive_entry_set_gid(entry, member.gid);
    archive_entry_set_mtime(entry, 1000, 0);
    if (member.type == S_IFREG) archive_entry_set_size(entry, static_cast<la_int64_t>(member.content.size()));
    if (!member.link.empty()) archive_entry_set_symlink(entry, member.link.c_str());
    if (!member.hard.empty()) archive_entry_set_hardlink(entry, member.hard.c_str());
    if (member.type == S_IFCHR) archive_entry_set_rdev(entry, 0x103);
    archive_write_header(handle, entry);
    if (!member.content.empty()) archive_write_data(handle, member.content.data(), member.content.size());
    archive_entry_free(entry);
  }
  archive_write_close(handle);
  archive_write_free(handle);
  out.resize(used);
  return out;
}

std::map<std::string, Member> read_tar(const std::string& data) {
  std::map<std::string, Member> out;
  auto* handle = archive_read_new();
  archive_read_support_format_tar(handle);
  EXPECT_EQ(archive_read_open_memory(handle, data.data(), data.size()), ARCHIVE_OK);
  archive_entry* entry = nullptr;
  while (archive_read_next_header(handle, &entry) == ARCHIVE_OK) {
    Member member;
    member.name = archive_entry_pathname(entry);
    member.type = archive_entry_filetype(entry);
    member.mode = archive_entry_perm(entry);
    member.uid = static_cast<std::uint32_t>(archive_entry_uid(entry));
    member.gid = static_cast<std::uint32_t>(archive_entry_gid(entry));
    if (const char* link = archive_entry_symlink(entry)) member.link = link;
    if (const char* hard = archive_entry_hardlink(entry)) member.hard = hard;
    char buffer[4096];
    for (la_ssize_t n; (n = archive_read_data(handle, buffer, sizeof buffer)) > 0;)
      member.content.append(buffer, static_cast<std::size_t>(n));
    out[member.name] = member;
  }
  archive_read_free(handle);
  return out;
}

enum class How { stopped, running, host_ids };

class FilesTest : public EngineTest, public testing::WithParamInterface<How> {
 protected:
  ContainerId make(ContainerSpec spec) {
    if (GetParam() == How::host_ids) spec.security.user_namespace = UserNamespace::host;
    return GetParam() == How::stopped ? create(std::move(spec)) : start(std::move(spec));
  }
  ContainerId make() { return make(shell("sleep 60")); }
  std::string get_bytes(const ContainerId& id, const std::string& path) {
    std::string out;
    run([&]() -> task<> {
      ArchiveHead head = [](image::PathStat) -> task<> { co_return; };
      ArchiveSink sink = [&](std::string piece) -> task<> {
        out += piece;
        co_return;
      };
      co_await engine().archive_get(id, path, head, sink);
    });
    return out;
  }
  std::map<std::string, Member> get(const ContainerId& id, const std::string& path) {
    return read_tar(get_bytes(id, path));
  }
  image::PathStat stat(const ContainerId& id, const std::string& path) {
    image::PathStat out;
    run([&]() -> task<> { out = co_await engine().archive_stat(id, path); });
    return out;
  }
  std::shared_ptr<Fd> as_file(const std::string& data) {
    auto file = std::make_shared<Fd>(open_file((directory_.path() / "put.tar").string(), O_RDWR | O_CREAT | O_TRUNC));
    write_all(file->get(), data, "tar");
    ::lseek(file->get(), 0, SEEK_SET);
    return file;
  }
  void put(const ContainerId& id, const std::string& path, const std::vector<Member>& members,
           ArchivePut options = {}) {
    run([&]() -> task<> { co_await engine().archive_put(id, path, as_file(tar_of(members)), options); });
  }
  Error put_refusal(const ContainerId& id, const std::string& path, const std::vector<Member>& members,
                    ArchivePut options = {}) {
    return refusal([&]() -> task<> { co_await engine().archive_put(id, path, as_file(tar_of(members)), options); });
  }
};

TEST_P(FilesTest, WhatIsPutComesBackWithItsOwnersLinksAndModes) {
  auto id = make();
  put(id, "/srv",
      {{.name = "d/", .type = S_IFDIR, .mode = 0750},
       {.name = "d/file", .content = "hello\n", .uid = 1000, .gid = 2000, .mode = 0640},
       {.name = "d/link", .type = S_IFLNK, .link = "file"},
       {.name = "d/same", .hard = "d/file"},
       {.name = "d/pipe", .type = S_IFIFO}});
  auto back = get(id, "/srv/d");
  EXPECT_EQ(back.size(), 5u);
  EXPECT_EQ(back["d/"].mode, 0750u);
  EXPECT_EQ(back["d/file"].content, "hello\n");
  EXPECT_EQ(back["d/file"].uid, 1000u);
  EXPECT_EQ(back["d/file"].gid, 2000u);
  EXPECT_EQ(back["d/file"].mode, 0640u);
  EXPECT_EQ(back["d/link"].link, "file");
  EXPECT_EQ(back["d/same"].hard, "d/file");
  EXPECT_EQ(back["d/pipe"].type, static_cast<mode_t>(S_IFIFO));
  EXPECT_TRUE(get(id, "/srv/d/.").contains("./file"));
  // The container sees the same.
  if (GetParam() == How::stopped) run([&]() -> task<> { co_await engine().start(id); });
  EXPECT_EQ(exec(id, {"/bin/stat", "-c", "%u %g %a", "/srv/d/file"}), "1000 2000 640\n=0");
}

TEST_P(FilesTest, OwnersOfTheImageAreThoseTheContainerSees) {
  auto id = make();
  auto status = stat(id, "/data/seed");
  EXPECT_EQ(status.name, "seed");
  EXPECT_EQ(status.uid, 1000u);
  EXPECT_EQ(status.size, 15u);
  EXPECT_EQ(get(id, "/data/seed")["seed"].uid, 1000u);
  auto link = stat(id, "/bin/sh");
  EXPECT_TRUE(S_ISLNK(link.mode));
  EXPECT_EQ(link.link_target, "/bin/busybox");
  EXPECT_EQ(stat(id, "/").name, "/");
}

TEST_P(FilesTest, VolumesAndBindsAreWhereTheContainerSeesThem) {
  auto outside = directory_.path() / "outside";
  make_directories(outside, 0755);
  write_file(outside / "note", "bound", 0644);
  auto spec = shell("sleep 60");
  spec.mounts.push_back({.type = MountType::bind, .source = outside.string(), .target = "/mnt/in"});
  spec.mounts.push_back({.type = MountType::volume, .source = "vol", .target = "/data"});
  auto fixed = Mount{.type = MountType::bind, .source = outside.string(), .target = "/fixed", .read_only = true};
  spec.mounts.push_back(fixed);
  auto id = make(spec);
  EXPECT_EQ(get(id, "/mnt/in/note")["note"].content, "bound");
  EXPECT_EQ(get(id, "/data/seed")["seed"].content, "from the image\n");
  put(id, "/mnt/in", {{.name = "new", .content = "x"}});
  EXPECT_EQ(read_file(outside / "new"), "x");
  EXPECT_EQ(put_refusal(id, "/fixed", {{.name = "new", .content = "x"}}).kind(), ErrorKind::denied);
}

TEST_P(FilesTest, NothingLeadsOutOfTheContainer) {
  auto id = make();
  auto secret = directory_.path() / "secret";
  write_file(secret, "of the host", 0644);
  std::string up = "../../../../../../../../../../../../..";
  put(id, "/srv",
      {{.name = "absolute", .type = S_IFLNK, .link = secret.string()},
       {.name = "upwards", .type = S_IFLNK, .link = up + secret.string()},
       {.name = "dir", .type = S_IFLNK, .link = directory_.path().string()}});
  auto absent = [&](const std::string& path) {
    return refusal([&]() -> task<> { co_await engine().archive_stat(id, path); }).kind();
  };
  EXPECT_EQ(absent("/srv/absolute/"), ErrorKind::not_found);
  EXPECT_EQ(absent("/srv/upwards/"), ErrorKind::not_found);
  EXPECT_EQ(absent("/srv/dir/secret"), ErrorKind::not_found);
  EXPECT_EQ(absent(up + secret.string()), ErrorKind::not_found);
  EXPECT_EQ(absent("/srv/nosuch"), ErrorKind::not_found);
  // Members go through links inside only.
  EXPECT_EQ(put_refusal(id, "/srv", {{.name = "dir/secret", .content = "overwritten"}}).kind(), ErrorKind::not_found);
  EXPECT_EQ(put_refusal(id, "/", {{.name = "../../secret", .content = "x"}}).kind(), ErrorKind::invalid);
  put(id, "/", {{.name = secret.string(), .content = "inside"}});
  EXPECT_EQ(read_file(secret), "of the host");
  EXPECT_EQ(get(id, secret.string())["secret"].content, "inside");
  EXPECT_EQ(put_refusal(id, "/srv", {{.name = "h", .hard = "../../" + secret.string()}}).kind(), ErrorKind::invalid);
  EXPECT_EQ(put_refusal(id, "/srv", {{.name = "dev", .type = S_IFCHR}}).kind(), ErrorKind::invalid);
}

TEST_P(FilesTest, ADirectoryIsNotReplacedWhenThatIsForbidden) {
  auto id = make();
  put(id, "/srv", {{.name = "d/", .type = S_IFDIR, .mode = 0755}, {.name = "d/x", .content = "x"}});
  ArchivePut careful{.no_overwrite_dir_non_dir = true};
  EXPECT_EQ(put_refusal(id, "/srv", {{.name = "d", .content = "file"}}, careful).kind(), ErrorKind::invalid);
  EXPECT_EQ(put_refusal(id, "/srv/d", {{.name = "x/", .type = S_IFDIR}}, careful).kind(), ErrorKind::invalid);
  put(id, "/srv", {{.name = "d", .content = "file"}});
  EXPECT_EQ(get(id, "/srv/d")["d"].content, "file");
}

TEST_P(FilesTest, TheContainersUserOwnsWhatIsPutWhenAskedFor) {
  auto spec = shell("sleep 60");
  spec.user = "app";
  auto id = make(spec);
  put(id, "/tmp", {{.name = "f", .content = "x", .uid = 7}}, {.copy_uid_gid = true});
  EXPECT_EQ(stat(id, "/tmp/f").uid, 1000u);
}

TEST_P(FilesTest, WithoutAUserOfItsOwnTheArchivesOwnersStay) {
  auto id = make();
  put(id, "/tmp", {{.name = "f", .content = "x", .uid = 7}}, {.copy_uid_gid = true});
  EXPECT_EQ(stat(id, "/tmp/f").uid, 7u);
}

TEST_P(FilesTest, WhereThereIsNoDirectoryNothingIsPut) {
  auto id = make();
  EXPECT_EQ(put_refusal(id, "/nosuch", {{.name = "x"}}).kind(), ErrorKind::not_found);
  EXPECT_EQ(put_refusal(id, "/data/seed", {{.name = "x"}}).kind(), ErrorKind::invalid);
  auto cut = as_file(tar_of({{.name = "x", .content = "yyy"}}).substr(0, 600));
  ArchivePut options;
  auto broken = refusal([&]() -> task<> { co_await engine().archive_put(id, "/srv", cut, options); });
  EXPECT_EQ(broken.kind(), ErrorKind::invalid);
}

TEST_P(FilesTest, AReadOnlyRootIsNotWritten) {
  auto spec = shell("sleep 60");
  spec.read_only = true;
  auto id = make(spec);
  EXPECT_EQ(put_refusal(id, "/srv", {{.name = "x", .content = "x"}}).kind(), ErrorKind::denied);
  EXPECT_TRUE(get(id, "/data").contains("data/seed"));
}

TEST_P(FilesTest, TheWholeTreeIsExportedWithoutWhatIsMounted) {
  auto spec = shell("sleep 60");
  spec.mounts.push_back({.type = MountType::volume, .source = "vol", .target = "/data"});
  auto id = make(spec);
  put(id, "/srv", {{.name = "mine", .content = "x", .uid = 1000}});
  put(id, "/data", {{.name = "in-the-volume", .content = "x"}});
  std::string out;
  run([&]() -> task<> {
    ArchiveSink sink = [&](std::string piece) -> task<> {
      out += piece;
      co_return;
    };
    co_await engine().export_tree(id, sink);
  });
  auto tree = read_tar(out);
  EXPECT_EQ(tree["./srv/mine"].uid, 1000u);
  EXPECT_EQ(tree["./data/seed"].content, "from the image\n");
  EXPECT_TRUE(tree.contains("./bin/busybox"));
  EXPECT_FALSE(tree.contains("./data/in-the-volume"));
  EXPECT_FALSE(tree.contains("./proc/self"));
}

TEST_P(FilesTest, TheRootComesWithoutWhatTheKernelMakesUp) {
  auto id = make();
  auto tree = get(id, "/");
  EXPECT_TRUE(tree.contains("./bin/busybox"));
  EXPECT_FALSE(tree.contains("./proc/self"));
  EXPECT_FALSE(tree.contains("./dev/null"));
  if (GetParam() == How::stopped) return;
  EXPECT_EQ(refusal([&]() -> task<> { co_await engine().archive_stat(id, "/proc/version"); }).kind(),
            ErrorKind::invalid);
  EXPECT_EQ(put_refusal(id, "/proc/sys/kernel", {{.name = "core_pattern", .content = "x"}}).kind(), ErrorKind::invalid);
}

TEST_P(FilesTest, AFileThatIsMountedOnGetsTheNewContent) {
  if (GetParam() == How::stopped) return;  // it has none yet
  auto id = make();
  put(id, "/etc", {{.name = "hosts", .content = "127.0.0.1 mine\n"}});
  EXPECT_EQ(exec(id, {"/bin/cat", "/etc/hosts"}), "127.0.0.1 mine\n=0");
  EXPECT_EQ(exec(id, {"/bin/busybox", "grep", "-c", " /etc/hosts ", "/proc/mounts"}), "1\n=0");
  if (GetParam() == How::host_ids) return;  // its devices are its own
  EXPECT_EQ(put_refusal(id, "/dev", {{.name = "null", .content = "x"}}).kind(), ErrorKind::invalid);
}

std::string name_of(const testing::TestParamInfo<How>& test) {
  const char* names[] = {"Stopped", "Running", "HostIds"};
  return names[static_cast<int>(test.param)];
}
INSTANTIATE_TEST_SUITE_P(Kinds, FilesTest, testing::Values(How::stopped, How::running, How::host_ids), name_of);

TEST_F(EngineTest, FilesAreThereAlsoAfterItsEnd) {
  auto id = start(shell("echo left > /srv/behind"));
  wait(id);
  std::string name;
  run([&]() -> task<> { name = (co_await engine().archive_stat(id, "/srv/behind")).name; });
  EXPECT_EQ(name, "behind");
  run([&]() -> task<> { co_await engine().start(id); });
  EXPECT_EQ(wait(id), 0);
}

}  // namespace
}  // namespace gantry::engine
