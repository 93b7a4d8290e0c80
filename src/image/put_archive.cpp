#include <fcntl.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <vector>

#include "archive_reader.h"
#include "entry_checks.h"
#include "entry_name.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/image/tree_archive.h"
#include "in_root.h"
#include "plain_names.h"
#include "space_guard.h"
#include "write_at.h"

namespace gantry::image {
namespace {

constexpr mode_t kPrivate = 0600;  // until owner and mode are set

// New files belong to the container's root before they get their owner: an id that the container does not have could
// create nothing in it. Leaving id 0 for file access drops the capabilities for it, which are still permitted and are
// taken back. All of this thread only.
class FilesOf {
 public:
  explicit FilesOf(const IdShift& ids) : active_(ids.size > 0) {
    if (active_) become(ids.host);
  }
  FilesOf(const FilesOf&) = delete;
  FilesOf& operator=(const FilesOf&) = delete;
  ~FilesOf() {
    if (active_) become(0);
  }

 private:
  static void become(std::uint32_t id) {
    ::setfsgid(id);
    ::setfsuid(id);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[2]{};
    if (::syscall(SYS_capget, &header, sets) < 0) return;
    for (auto& set : sets) set.effective = set.permitted;
    ::syscall(SYS_capset, &header, sets);
  }

  bool active_;
};

class Putter {
 public:
  Putter(TarReader& reader, int root, std::string path, Fd directory, const PutOptions& options)
      : reader_(reader),
        root_(root),
        base_(std::move(path)),
        directory_(std::move(directory)),
        options_(options),
        space_(directory_.get()) {}

  void run() {
    while ((entry_ = reader_.next()) != nullptr) {
      name_ = EntryName::parse(text(archive_entry_pathname(entry_)));
      if (!name_.is_root()) take();  // the directory itself keeps what it has
    }
    for (auto at = directories_.rbegin(); at != directories_.rend(); ++at) {
      timespec times[2] = {at->second, at->second};
      ::futimens(at->first.get(), times);
    }
  }

 private:
  static std::string text(const char* value) { return value != nullptr ? value : ""; }
  [[noreturn]] void refuse(const std::string& why) const { name_.refuse(why); }
  [[noreturn]] void fail(const std::string& action) const {
    int code = errno;
    if (code == EROFS)
      throw Error(ErrorKind::denied, name_.shown() + ": the place is read-only in the container",
                  "copy to a writable volume, or create the container without --read-only");
    if (code == EFBIG) refuse("is larger than the file system's largest file");
    if (code == ELOOP || code == ENOTDIR) refuse("something on the way to it is not a directory");
    throw system_error(code, name_.shown() + ": " + action);
  }

  Fd open_directory(const EntryName& name, std::size_t count) const {
    auto path = base_;
    for (std::size_t i = 0; i < count; ++i) path += "/" + name.components[i];
    return Fd(open_in_root(root_, path, O_PATH | O_DIRECTORY));
  }

  // Links on the way are followed inside the tree, as a program in the container would. Archives may leave directories
  // out that their entries are in.
  Fd parent_of(const EntryName& name, bool make) const {
    auto count = name.components.size() - 1;
    Fd found = open_directory(name, count);
    if (!found && (errno != ENOENT || !make)) fail("open the directory it is in");
    if (!found) {
      for (std::size_t i = 1; i <= count; ++i) {
        Fd above = open_directory(name, i - 1);
        if (!above) fail("open the directory it is in");
        if (::mkdirat(above.get(), name.components[i - 1].c_str(), 0755) == 0) {
          Fd made(
              ::openat(above.get(), name.components[i - 1].c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
          auto owner = options_.owner.value_or(PutOptions::Owner{});
          if (made) set_owner(made.get(), owner.uid, owner.gid);
        } else if (errno != EEXIST) {
          fail("create the directory it is in");
        }
      }
      found = open_directory(name, count);
      if (!found) fail("open the directory it is in");
    }
    if (is_kernels_own(found.get())) refuse("lies in what the kernel makes up, which cannot be written");
    return found;
  }

  struct Wanted {
    uid_t uid = 0;
    gid_t gid = 0;
    mode_t mode = 0;
    timespec mtime{};
    std::map<std::string, std::string> xattrs;
  };

  std::uint32_t id(la_int64_t value) const {
    return checked_id(value, [this](const std::string& why) { refuse(why); });
  }

  Wanted wanted() const {
    Wanted out;
    out.mode = archive_entry_perm(entry_) & 07777;
    out.mtime = checked_time(entry_, [this](const std::string& why) { refuse(why); });
    out.uid = options_.owner ? options_.owner->uid : id(archive_entry_uid(entry_));
    out.gid = options_.owner ? options_.owner->gid : id(archive_entry_gid(entry_));
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    archive_entry_xattr_reset(entry_);
    while (archive_entry_xattr_next(entry_, &name, &value, &size) == ARCHIVE_OK) {
      std::string_view key = name;
      if (key.starts_with("user.") || key == "security.capability")
        out.xattrs.emplace(key, std::string(static_cast<const char*>(value), size));
    }
    return out;
  }

  uid_t on_host(std::uint32_t inside) const {
    if (options_.ids.size == 0) return inside;
    if (inside >= options_.ids.size)
      refuse("its owner " + std::to_string(inside) + " is outside the container's user namespace (0 to " +
             std::to_string(options_.ids.size - 1) + ")");
    return options_.ids.host + inside;
  }

  void set_owner(int fd, std::uint32_t uid, std::uint32_t gid) const {
    if (::fchownat(fd, "", on_host(uid), on_host(gid), AT_EMPTY_PATH) < 0) fail("set owner");
  }

  // By descriptor: a name could be something else by now.
  void apply(int fd, const Wanted& wanted, bool time) const {
    // Owner first: changing it clears set-user-id bits and capabilities.
    set_owner(fd, wanted.uid, wanted.gid);
    auto path = through(fd);
    if (::chmod(path.c_str(), wanted.mode) < 0) fail("set mode");
    for (const auto& [key, value] : wanted.xattrs)
      if (::setxattr(path.c_str(), key.c_str(), value.data(), value.size(), 0) < 0 && errno != EOPNOTSUPP)
        fail("set extended attribute " + key);
    timespec times[2] = {wanted.mtime, wanted.mtime};
    if (time && ::utimensat(AT_FDCWD, path.c_str(), times, 0) < 0) fail("set time");
  }

  void take() {
    if (const char* target = archive_entry_hardlink(entry_)) return hard_link(EntryName::parse(target));
    switch (archive_entry_filetype(entry_)) {
      case AE_IFDIR:
        return directory();
      case AE_IFREG:
        return file();
      case AE_IFLNK:
        return symlink();
      case AE_IFIFO:
        return fifo();
      case AE_IFCHR:
      case AE_IFBLK:
        refuse("is a device, which is not put into a container");
      default:
        refuse("is of a kind that no file has");
    }
  }

  const char* base() const { return name_.base().c_str(); }

  // What has this name goes. False: it is mounted on, and stays. That has to be asked: mounts of the container's own
  // namespace do not keep us from removing what they are on, they would go with it.
  bool clear_way(int parent) const {
    struct statx info {};
    if (::statx(parent, base(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &info) < 0) {
      if (errno == ENOENT) return true;
      fail("inspect");
    }
    if (S_ISDIR(info.stx_mode) && options_.keep_kinds) refuse("would replace a directory");
    if ((info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) return false;
    if (::unlinkat(parent, base(), 0) == 0 || errno == ENOENT) return true;
    if (errno == EBUSY) return false;
    if (!S_ISDIR(info.stx_mode)) fail("replace");
    remove_tree(through(parent) + "/" + name_.base());
    return true;
  }

  void directory() {
    Fd parent = parent_of(name_, true);
    auto attributes = wanted();
    if (::mkdirat(parent.get(), base(), 0700) < 0) {
      if (errno != EEXIST) fail("create");
      struct stat info {};
      if (::fstatat(parent.get(), base(), &info, AT_SYMLINK_NOFOLLOW) < 0) fail("inspect");
      if (!S_ISDIR(info.st_mode)) {
        if (options_.keep_kinds) refuse("would replace what is not a directory");
        require_free(parent.get());
        if (::mkdirat(parent.get(), base(), 0700) < 0) fail("create");
      }
    }
    Fd made(::openat(parent.get(), base(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!made) fail("open");
    if (is_kernels_own(made.get())) refuse("is made up by the kernel, and cannot be written");
    apply(made.get(), attributes, false);
    // Creating what is in it changes its time; the last ones only, since each holds a descriptor.
    if (directories_.size() == kMostTimes) {
      timespec times[2] = {directories_.front().second, directories_.front().second};
      ::futimens(directories_.front().first.get(), times);
      directories_.erase(directories_.begin());
    }
    directories_.emplace_back(std::move(made), attributes.mtime);
  }

  void file() {
    Fd parent = parent_of(name_, true);
    auto attributes = wanted();
    auto size = archive_entry_size(entry_);
    if (size < 0) refuse("has a negative length");
    bool free = clear_way(parent.get());
    Fd made = free ? create_file(parent.get()) : reopen_file(parent.get());
    reader_.content([&](std::string_view piece, std::uint64_t offset) { write_at(made.get(), piece, offset); });
    if (::ftruncate(made.get(), static_cast<off_t>(size)) < 0) fail("set length");
    if (free) apply(made.get(), attributes, true);
  }

  Fd create_file(int parent) const {
    Fd made(::openat(parent, base(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kPrivate));
    if (!made) fail("create");
    return made;
  }

  // Looked at before it is opened: a device could do something when it is.
  Fd reopen_file(int parent) const {
    Fd node(::openat(parent, base(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat info {};
    if (!node || ::fstat(node.get(), &info) < 0) fail("open");
    if (!S_ISREG(info.st_mode)) refuse("would overwrite what is not a file");
    Fd made(::open(through(node.get()).c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
    if (!made) fail("open");
    return made;
  }

  void write_at(int fd, std::string_view piece, std::uint64_t offset) {
    space_.wrote(piece.size());
    if (!image::write_at(fd, piece, offset)) fail("write");
  }

  void require_free(int parent) const {
    if (!clear_way(parent)) refuse("would replace a file that something is mounted on");
  }

  void symlink() {
    Fd parent = parent_of(name_, true);
    auto attributes = wanted();
    require_free(parent.get());
    if (::symlinkat(text(archive_entry_symlink(entry_)).c_str(), parent.get(), base()) < 0)
      fail("create symbolic link");
    if (::fchownat(parent.get(), base(), on_host(attributes.uid), on_host(attributes.gid), AT_SYMLINK_NOFOLLOW) < 0)
      fail("set owner");
    timespec times[2] = {attributes.mtime, attributes.mtime};
    ::utimensat(parent.get(), base(), times, AT_SYMLINK_NOFOLLOW);
  }

  void fifo() {
    Fd parent = parent_of(name_, true);
    auto attributes = wanted();
    require_free(parent.get());
    if (::mknodat(parent.get(), base(), S_IFIFO | kPrivate, 0) < 0) fail("create");
    Fd made(::openat(parent.get(), base(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat info {};
    if (!made || ::fstat(made.get(), &info) < 0 || !S_ISFIFO(info.st_mode)) fail("open");
    apply(made.get(), attributes, true);
  }

  void hard_link(EntryName target) {
    if (target.is_root()) refuse("is a hard link to the directory itself");
    if (target.path() == name_.path()) refuse("is a hard link to itself");
    Fd from = parent_of(target, false);
    Fd parent = parent_of(name_, true);
    require_free(parent.get());
    if (::linkat(from.get(), target.base().c_str(), parent.get(), base(), 0) < 0) {
      if (errno == ENOENT) refuse("is a hard link to \"" + target.path() + "\", which is not there");
      fail("create hard link");
    }
  }

  static constexpr std::size_t kMostTimes = 256;

  TarReader& reader_;
  int root_;
  std::string base_;
  Fd directory_;
  const PutOptions& options_;
  SpaceGuard space_;
  ::archive_entry* entry_ = nullptr;
  EntryName name_;
  std::vector<std::pair<Fd, timespec>> directories_;
};

}  // namespace

void put_archive(int fd, int root, const std::string& path, const PutOptions& options) {
  auto place = place_of(path);
  auto whole = place.directory + "/" + place.name;
  Fd directory(open_in_root(root, whole, O_PATH | O_DIRECTORY));
  if (!directory && errno == ENOENT)
    throw Error(ErrorKind::not_found, "\"" + path + "\" does not exist in the container", "make the directory first");
  if (!directory && errno == ENOTDIR)
    throw Error(ErrorKind::invalid, "\"" + path + "\" is not a directory in the container",
                "archives are unpacked into directories");
  if (!directory) throw_errno("open \"" + path + "\" in the container");
  if (is_kernels_own(directory.get()))
    throw Error(ErrorKind::invalid, "\"" + path + "\" is made up by the kernel and cannot be written");
  struct statvfs info {};
  if (::fstatvfs(directory.get(), &info) == 0 && (info.f_flag & ST_RDONLY) != 0)
    throw Error(ErrorKind::denied, "\"" + path + "\" is read-only in the container",
                "copy to a writable volume, or create the container without --read-only");
  FilesOf files(options.ids);
  PlainNames names;
  PlainStream stream(fd, {});
  TarReader reader(stream);
  Putter(reader, root, whole, std::move(directory), options).run();
}

}  // namespace gantry::image
