#include "tree_expectation.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "beneath.h"
#include "gantry/base/error.h"
#include "overlay.h"
#include "tree_walk.h"
#include "whiteout.h"

namespace gantry::image {
namespace {

constexpr char kAccessList[] = "system.posix_acl_access";
// What every file system of today can hold; farther times are cut off by some of them.
constexpr std::int64_t kEarliest = -(1LL << 31);
constexpr std::int64_t kLatest = (1LL << 34) - 1;

std::string text(const char* value) { return value != nullptr ? value : ""; }

// As the unpacker takes them.
bool is_taken(std::string_view name) {
  return name.starts_with("user.") || name == "security.capability" || name == kAccessList ||
         name == "system.posix_acl_default";
}
// The kernel keeps a list that says no more than the mode as the mode alone.
bool may_vanish(std::string_view name) { return name.starts_with("system.posix_acl_"); }

std::string octal(mode_t mode) {
  char out[8];
  std::snprintf(out, sizeof out, "%04o", static_cast<unsigned>(mode));
  return out;
}

std::vector<std::string> names_of(const std::string& through) {
  ssize_t size = ::llistxattr(through.c_str(), nullptr, 0);
  if (size <= 0) return {};
  std::string list(static_cast<std::size_t>(size), '\0');
  size = ::llistxattr(through.c_str(), list.data(), list.size());
  std::vector<std::string> out;
  for (const char* at = list.data(); at < list.data() + std::max<ssize_t>(size, 0); at += out.back().size() + 1)
    out.emplace_back(at);
  return out;
}

std::string value_of(const std::string& through, const std::string& name) {
  std::string value(64u << 10, '\0');  // XATTR_SIZE_MAX
  ssize_t size = ::lgetxattr(through.c_str(), name.c_str(), value.data(), value.size());
  value.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return value;
}

const char* kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "a directory";
    case S_IFREG:
      return "a regular file";
    case S_IFLNK:
      return "a symbolic link";
    case S_IFIFO:
      return "a fifo";
    case S_IFSOCK:
      return "a socket";
    default:
      return "a device";
  }
}

/// A file's content against pieces of it that come in order; what is between them is zeros.
class SparseFile {
 public:
  explicit SparseFile(int fd) : fd_(fd), buffer_(64u << 10, '\0') {}
  bool has(std::string_view piece, std::uint64_t offset) {
    if (offset < at_ || !zeros_until(offset)) return false;
    while (!piece.empty()) {
      auto got = next(piece.size());
      if (got.empty() || got != piece.substr(0, got.size())) return false;
      piece.remove_prefix(got.size());
    }
    return true;
  }
  bool zeros_until(std::uint64_t end) {
    while (at_ < end) {
      auto got = next(end - at_);
      if (got.empty() || got.find_first_not_of('\0') != std::string_view::npos) return false;
    }
    return true;
  }

 private:
  std::string_view next(std::uint64_t most) {
    ssize_t n = ::pread(fd_, buffer_.data(), static_cast<std::size_t>(std::min<std::uint64_t>(most, buffer_.size())),
                        static_cast<off_t>(at_));
    if (n <= 0) return {};
    at_ += static_cast<std::uint64_t>(n);
    return {buffer_.data(), static_cast<std::size_t>(n)};
  }
  int fd_;
  std::string buffer_;
  std::uint64_t at_ = 0;
};

}  // namespace

void TreeExpectation::want_parents(const EntryName& name) {
  EntryName above = name;
  while (above.components.size() > 1) {
    above.components.pop_back();
    auto [at, fresh] = wanted_.try_emplace(above.path());
    if (!fresh && at->second.kind == Kind::directory) return;
    at->second.kind = Kind::directory;
    at->second.implied = true;
  }
}

TreeExpectation::Wanted& TreeExpectation::want(const EntryName& name, Kind kind) {
  if (!name.is_root()) want_parents(name);
  auto [at, fresh] = wanted_.try_emplace(name.path());
  auto& wanted = at->second;
  if (fresh) {
    wanted.kind = kind;
    return wanted;
  }
  bool was_directory = wanted.kind == Kind::directory;
  bool was_whiteout = wanted.kind == Kind::whiteout;
  bool opaque = kind == Kind::directory && (was_whiteout || (was_directory && wanted.opaque));
  wanted = Wanted{};
  wanted.kind = kind;
  wanted.opaque = opaque;
  wanted.replaced = true;
  return wanted;
}

bool TreeExpectation::take_whiteout(const EntryName& name) {
  if (name.is_root()) return false;
  std::string_view base = name.base();
  if (!base.starts_with(kWhiteout)) return false;
  EntryName target = name;
  if (base == kOpaqueMark) {
    target.components.pop_back();
    if (!target.is_root()) want_parents(target);
    auto [at, fresh] = wanted_.try_emplace(target.path());
    if (fresh) {
      at->second.kind = Kind::directory;
      at->second.implied = true;
    }
    at->second.opaque = true;
    return true;
  }
  if (base.starts_with(kMeta)) return true;
  target.components.back() = base.substr(kWhiteout.size());
  want(target, Kind::whiteout);
  return true;
}

void TreeExpectation::take_attributes(Wanted& wanted, ::archive_entry* entry) {
  wanted.mode = archive_entry_perm(entry) & 07777;
  wanted.uid = static_cast<std::uint32_t>(archive_entry_uid(entry));
  wanted.gid = static_cast<std::uint32_t>(archive_entry_gid(entry));
  wanted.mtime = archive_entry_mtime(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  archive_entry_xattr_reset(entry);
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
    if (is_taken(name)) wanted.xattrs.emplace(name, std::string(static_cast<const char*>(value), size));
}

void TreeExpectation::take(TarReader& reader, ::archive_entry* entry) {
  auto name = EntryName::parse(text(archive_entry_pathname(entry)));
  if (take_whiteout(name)) return;
  if (const char* target = archive_entry_hardlink(entry)) {
    want(name, Kind::hard_link).link = EntryName::parse(target).path();
    return;
  }
  auto type = archive_entry_filetype(entry);
  if (type == AE_IFDIR) {
    take_attributes(want(name, Kind::directory), entry);
  } else if (type == AE_IFLNK) {
    auto& wanted = want(name, Kind::symlink);
    take_attributes(wanted, entry);
    wanted.link = text(archive_entry_symlink(entry));
  } else if (type == AE_IFREG) {
    auto& wanted = want(name, Kind::file);
    take_attributes(wanted, entry);
    wanted.size = static_cast<std::uint64_t>(archive_entry_size(entry));
    if (archive_entry_sparse_count(entry) > 0) compare_sparse(reader, name.path(), wanted.size);
  } else {
    auto& wanted = want(name, Kind::node);
    take_attributes(wanted, entry);
    wanted.mode |= type;
    if (type != AE_IFIFO)
      wanted.device = makedev(static_cast<unsigned>(archive_entry_rdevmajor(entry)),
                              static_cast<unsigned>(archive_entry_rdevminor(entry)));
  }
}

void TreeExpectation::compare_sparse(TarReader& reader, const std::string& path, std::uint64_t size) {
  Fd fd = open_beneath(directory_, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat info {};
  // A missing or shorter one is found by the walk.
  if (!fd || ::fstat(fd.get(), &info) < 0 || static_cast<std::uint64_t>(info.st_size) != size) return;
  SparseFile file(fd.get());
  bool same = true;
  reader.content([&](std::string_view piece, std::uint64_t offset) { same = same && file.has(piece, offset); });
  if (!same || !file.zeros_until(size)) fault_(path, "has other content than it had");
}

std::uint64_t TreeExpectation::compare() {
  std::uint64_t files = 0;
  if (auto root = wanted_.find(""); root != wanted_.end()) {
    struct stat info {};
    if (::fstat(directory_, &info) < 0) throw_errno("inspect a layer");
    compare_one("", root->second, info, directory_, ".");
  }
  walk_tree(directory_, [&](const TreeEntry& entry) {
    ++files;
    auto wanted = wanted_.find(entry.path);
    if (wanted == wanted_.end()) return fault_(entry.path, "is there, and the layer has no such file");
    compare_one(entry.path, wanted->second, entry.info, entry.parent, entry.name);
  });
  std::vector<std::string> missing;
  for (const auto& [path, wanted] : wanted_)
    if (!wanted.seen) missing.push_back(path);
  std::sort(missing.begin(), missing.end());
  for (const auto& path : missing) fault_(path, "is missing");
  return files;
}

void TreeExpectation::compare_one(const std::string& path, Wanted& wanted, const struct stat& info, int parent,
                                  const std::string& name) {
  wanted.seen = true;
  auto type = info.st_mode & S_IFMT;
  auto refuse = [&](const std::string& should) {
    fault_(path, std::string("is ") + (is_whiteout(info) ? "a deletion" : kind_of(info.st_mode)) + ", not " + should);
  };
  switch (wanted.kind) {
    case Kind::directory:
      if (type != S_IFDIR) return refuse("a directory");
      break;
    case Kind::file:
      if (type != S_IFREG) return refuse("a regular file");
      if (static_cast<std::uint64_t>(info.st_size) != wanted.size)
        return fault_(path, "has " + std::to_string(info.st_size) + " bytes, not " + std::to_string(wanted.size));
      break;
    case Kind::symlink: {
      if (type != S_IFLNK) return refuse("a symbolic link");
      std::string link(static_cast<std::size_t>(info.st_size) + 1, '\0');
      ssize_t size = ::readlinkat(parent, name.c_str(), link.data(), link.size());
      link.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
      if (link != wanted.link) return fault_(path, "points to \"" + link + "\", not to \"" + wanted.link + "\"");
      break;
    }
    case Kind::node:
      if (type != (wanted.mode & S_IFMT)) return refuse(kind_of(wanted.mode));
      if (wanted.device != 0 && info.st_rdev != wanted.device) return fault_(path, "is another device than it was");
      break;
    case Kind::whiteout:
      if (!is_whiteout(info)) refuse("a deletion");
      return;
    case Kind::hard_link:
      return compare_link(path, wanted, info);
  }
  auto through = path.empty() ? through_descriptor(parent, ".") : through_descriptor(parent, name);
  if (wanted.kind == Kind::directory) {
    char value = 0;
    bool opaque = ::lgetxattr(through.c_str(), kOpaque, &value, 1) == 1 && value == 'y';
    if (opaque != wanted.opaque)
      fault_(path, opaque ? "hides what is below it, and should not" : "does not hide what is below it any more");
  }
  if (!wanted.implied) compare_attributes(path, wanted, info, through);
}

void TreeExpectation::compare_attributes(const std::string& path, const Wanted& wanted, const struct stat& info,
                                         const std::string& through) {
  // With an access list, the bits of the group are its mask.
  mode_t compared = wanted.xattrs.contains(kAccessList) ? 07707 : 07777;
  bool mode_matters = wanted.kind != Kind::symlink;
  if (mode_matters && (info.st_mode & compared) != (wanted.mode & compared))
    fault_(path, "has the mode " + octal(info.st_mode & 07777) + ", not " + octal(wanted.mode & 07777));
  if (info.st_uid != wanted.uid || info.st_gid != wanted.gid)
    fault_(path, "belongs to " + std::to_string(info.st_uid) + ":" + std::to_string(info.st_gid) + ", not to " +
                     std::to_string(wanted.uid) + ":" + std::to_string(wanted.gid));
  if (wanted.mtime >= kEarliest && wanted.mtime <= kLatest && info.st_mtim.tv_sec != wanted.mtime)
    fault_(path, "has the time " + std::to_string(info.st_mtim.tv_sec) + ", not " + std::to_string(wanted.mtime));
  compare_xattrs(path, wanted, through);
}

void TreeExpectation::compare_xattrs(const std::string& path, const Wanted& wanted, const std::string& through) {
  auto names = names_of(through);
  for (const auto& name : names)
    if (is_taken(name) && !may_vanish(name) && !wanted.xattrs.contains(name))
      fault_(path, "has the extended attribute " + name + ", and should not");
  for (const auto& [name, value] : wanted.xattrs) {
    bool there = std::find(names.begin(), names.end(), name) != names.end();
    if (!there && may_vanish(name)) continue;
    if (!there) {
      fault_(path, "lacks the extended attribute " + name);
    } else if (!may_vanish(name) && value_of(through, name) != value) {
      fault_(path, "has another value in the extended attribute " + name);
    }
  }
}

void TreeExpectation::compare_link(const std::string& path, const Wanted& wanted, const struct stat& info) {
  auto target = wanted_.find(wanted.link);
  if (target == wanted_.end() || target->second.replaced) return;
  struct stat other {};
  Fd fd = open_beneath(directory_, wanted.link, O_PATH | O_NOFOLLOW);
  if (!fd || ::fstat(fd.get(), &other) < 0) return;  // it is missing, and that is said of it
  if (other.st_ino != info.st_ino || other.st_dev != info.st_dev)
    fault_(path, "is not the same file as \"" + wanted.link + "\" any more");
}

}  // namespace gantry::image
