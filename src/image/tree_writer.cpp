#include "tree_writer.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "gantry/base/error.h"
#include "overlay.h"

namespace gantry::image {
namespace {

constexpr mode_t kPrivate = 0600;  // until owner and mode are set

std::string shown(const EntryName& name) { return "archive entry \"" + name.path() + "\""; }

[[noreturn]] void refuse(const EntryName& name, const std::string& why) {
  throw Error(ErrorKind::invalid, shown(name) + ": " + why);
}

[[noreturn]] void fail(const EntryName& name, const std::string& action) {
  int code = errno;
  if (code == EFBIG) refuse(name, "is larger than the file system's largest file");
  throw system_error(code, shown(name) + ": " + action);
}

int open_beneath(int root, const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  int raw;
  do raw = static_cast<int>(::syscall(SYS_openat2, root, path.empty() ? "." : path.c_str(), &how, sizeof how));
  while (raw < 0 && (errno == EINTR || errno == EAGAIN));
  return raw;
}

// The xattr calls have no *at form. The last component is not followed, and there is only that one.
std::string through_descriptor(int parent, const EntryName& name) {
  auto path = "/proc/self/fd/" + std::to_string(parent);
  return name.is_root() ? path : path + "/" + name.base();
}

const char* base_of(const EntryName& name) { return name.base().c_str(); }

}  // namespace

Fd TreeWriter::open_directory(const std::string& path, const std::string& entry) {
  int raw = open_beneath(root_, path);
  if (raw >= 0) return Fd(raw);
  if (errno == ELOOP) throw Error(ErrorKind::invalid, entry + ": \"" + path + "\" on the way to it is a symbolic link");
  if (errno == ENOTDIR)
    throw Error(ErrorKind::invalid, entry + ": \"" + path + "\" on the way to it is not a directory");
  if (errno != ENOENT) throw_errno(entry + ": open \"" + path + "\"");
  return Fd();
}

// Archives may leave directories out that their entries are in.
Fd TreeWriter::make_parents(const EntryName& name, std::size_t count) {
  EntryName path;
  Fd current = open_directory("", shown(name));
  for (std::size_t i = 0; i < count; ++i) {
    path.components.push_back(name.components[i]);
    if (::mkdirat(current.get(), base_of(path), 0755) < 0 && errno != EEXIST) fail(name, "create its parent");
    current = open_directory(path.path(), shown(name));
    if (!current) refuse(name, "its parent cannot be created");
  }
  return current;
}

int TreeWriter::parent(const EntryName& name) {
  auto path = name.parent();
  if (cached_ && cached_path_ == path) return cached_.get();
  cached_ = open_directory(path, shown(name));
  if (!cached_) cached_ = make_parents(name, name.components.size() - 1);
  cached_path_ = path;
  return cached_.get();
}

// Removes an earlier entry of this name. Returns whether it was a whiteout.
bool TreeWriter::clear_way(int parent, const EntryName& name) {
  struct stat info {};
  if (::fstatat(parent, base_of(name), &info, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno == ENOENT) return false;
    fail(name, "inspect");
  }
  if (S_ISDIR(info.st_mode)) refuse(name, "is in the archive twice, as a directory and as something else");
  if (::unlinkat(parent, base_of(name), 0) < 0) fail(name, "replace");
  return is_whiteout(info);
}

void TreeWriter::apply(int parent, const EntryName& name, const Attributes& attributes, bool is_link) {
  // Owner first: changing it clears set-user-id bits and capabilities.
  if (::fchownat(parent, base_of(name), attributes.uid, attributes.gid, AT_SYMLINK_NOFOLLOW) < 0)
    fail(name, "set owner");
  if (!is_link && ::fchmodat(parent, base_of(name), attributes.mode, 0) < 0) fail(name, "set mode");
  for (const auto& [key, value] : attributes.xattrs)
    if (::lsetxattr(through_descriptor(parent, name).c_str(), key.c_str(), value.data(), value.size(), 0) < 0)
      fail(name, "set extended attribute " + key);
  timespec times[2] = {attributes.mtime, attributes.mtime};
  if (::utimensat(parent, base_of(name), times, AT_SYMLINK_NOFOLLOW) < 0) fail(name, "set time");
}

void TreeWriter::directory(const EntryName& name, const Attributes& attributes) {
  EntryName self = name.is_root() ? EntryName{{"."}} : name;
  int dir = name.is_root() ? root_ : parent(name);
  if (!name.is_root()) {
    struct stat info {};
    bool there = ::fstatat(dir, base_of(name), &info, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there || !S_ISDIR(info.st_mode)) {
      bool deleted_below = there && clear_way(dir, name);
      if (::mkdirat(dir, base_of(name), 0700) < 0) fail(name, "create");
      if (deleted_below) opaque(name);
      dir = parent(name);
    }
  }
  apply(dir, self, attributes, false);
  directory_times_.emplace_back(name, attributes.mtime);
}

void TreeWriter::file(const EntryName& name, const Attributes& attributes, std::uint64_t size,
                      const std::function<void(int)>& fill) {
  if (name.is_root()) refuse(name, "the root is not a directory");
  int dir = parent(name);
  clear_way(dir, name);
  int raw = ::openat(dir, base_of(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kPrivate);
  if (raw < 0) fail(name, "create");
  Fd fd(raw);
  fill(raw);
  if (::ftruncate(raw, static_cast<off_t>(size)) < 0) fail(name, "set length");
  apply(dir, name, attributes, false);
}

void TreeWriter::symlink(const EntryName& name, const Attributes& attributes, const std::string& target) {
  if (name.is_root()) refuse(name, "the root is not a directory");
  int dir = parent(name);
  clear_way(dir, name);
  if (::symlinkat(target.c_str(), dir, base_of(name)) < 0) fail(name, "create symbolic link");
  apply(dir, name, attributes, true);
}

void TreeWriter::hard_link(const EntryName& name, const EntryName& target) {
  if (name.is_root() || target.is_root()) refuse(name, "the root cannot be linked");
  if (name.path() == target.path()) refuse(name, "is a hard link to itself");
  Fd target_dir = open_directory(target.parent(), shown(name));
  int dir = parent(name);
  struct stat info {};
  if (!target_dir || ::fstatat(target_dir.get(), base_of(target), &info, AT_SYMLINK_NOFOLLOW) < 0)
    refuse(name, "is a hard link to \"" + target.path() + "\", which the archive does not hold before it");
  if (S_ISDIR(info.st_mode)) refuse(name, "is a hard link to the directory \"" + target.path() + "\"");
  clear_way(dir, name);
  if (::linkat(target_dir.get(), base_of(target), dir, base_of(name), 0) < 0) fail(name, "create hard link");
}

void TreeWriter::node(const EntryName& name, const Attributes& attributes, mode_t type, dev_t device) {
  if (name.is_root()) refuse(name, "the root is not a directory");
  if (type == S_IFCHR && device == makedev(0, 0))
    refuse(name, "is the character device 0:0, which overlayfs takes for a deletion");
  int dir = parent(name);
  clear_way(dir, name);
  if (::mknodat(dir, base_of(name), type | kPrivate, device) < 0) fail(name, "create");
  apply(dir, name, attributes, false);
}

void TreeWriter::whiteout(const EntryName& name) {
  int dir = parent(name);
  clear_way(dir, name);
  if (::mknodat(dir, base_of(name), S_IFCHR, makedev(0, 0)) < 0) fail(name, "record a deletion");
}

void TreeWriter::opaque(const EntryName& name) {
  Fd target = open_directory(name.path(), shown(name));
  if (!target) target = make_parents(name, name.components.size());
  if (::fsetxattr(target.get(), kOpaque, "y", 1, 0) < 0) fail(name, "mark opaque");
}

void TreeWriter::finish() {
  cached_.reset();
  for (auto entry = directory_times_.rbegin(); entry != directory_times_.rend(); ++entry) {
    Fd directory = open_directory(entry->first.path(), shown(entry->first));
    timespec times[2] = {entry->second, entry->second};
    if (::futimens(directory.get(), times) < 0) fail(entry->first, "set time");
  }
  directory_times_.clear();
}

}  // namespace gantry::image
