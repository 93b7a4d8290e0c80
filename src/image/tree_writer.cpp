#include "tree_writer.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "allocated.h"
#include "beneath.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "overlay.h"
#include "write_at.h"

namespace gantry::image {
namespace {

constexpr mode_t kPrivate = 0600;  // until owner and mode are set

[[noreturn]] void fail(const EntryName& name, const std::string& action) {
  int code = errno;
  if (code == EFBIG) name.refuse("is larger than the file system's largest file");
  throw system_error(code, name.shown() + ": " + action);
}

// The xattr calls have no *at form. The last component is not followed, and there is only that one.
std::string through_descriptor(int parent, const EntryName& name) {
  auto path = "/proc/self/fd/" + std::to_string(parent);
  return name.is_root() ? path : path + "/" + name.base();
}

const char* base_of(const EntryName& name) { return name.base().c_str(); }

constexpr std::size_t kBatchFiles = 48;
constexpr std::size_t kBatchBytes = 384u << 10;

// umask(2) cannot be read without being changed for the whole process.
mode_t current_umask() {
  auto status = read_file("/proc/self/status");
  auto at = status.find("Umask:");
  return at == std::string::npos ? mode_t(0777) : static_cast<mode_t>(std::stoul(status.substr(at + 6, 8), nullptr, 8));
}

std::size_t hash_of(std::string_view path) { return std::hash<std::string_view>()(path); }

}  // namespace

TreeWriter::TreeWriter(int root, WriterCrew* crew)
    : root_(root), space_(root), own_uid_(::geteuid()), own_gid_(::getegid()), umask_(current_umask()) {
  struct stat info {};
  if (::fstat(root, &info) < 0) throw_errno("inspect the directory to unpack to");
  foreign_group_ = (info.st_mode & S_ISGID) != 0;
  was_empty_ = std::filesystem::is_empty("/proc/self/fd/" + std::to_string(root));
  if (crew != nullptr) group_.emplace(*crew);
}

Fd TreeWriter::open_directory(const std::string& path, const std::string& entry) {
  Fd fd = open_beneath(root_, path, O_RDONLY | O_DIRECTORY);
  if (fd) return fd;
  if (errno == ELOOP) throw Error(ErrorKind::invalid, entry + ": \"" + path + "\" on the way to it is a symbolic link");
  if (errno == ENOTDIR)
    throw Error(ErrorKind::invalid, entry + ": \"" + path + "\" on the way to it is not a directory");
  if (errno != ENOENT) throw_errno(entry + ": open \"" + path + "\"");
  return Fd();
}

// Archives may leave directories out that their entries are in.
Fd TreeWriter::make_parents(const EntryName& name, std::size_t count) {
  EntryName path;
  Fd current = open_directory("", name.shown());
  for (std::size_t i = 0; i < count; ++i) {
    path.components.push_back(name.components[i]);
    if (::mkdirat(current.get(), base_of(path), 0755) == 0) {
      names_.insert(hash_of(path.path()));
      directories_.try_emplace(path.path());
    } else if (errno != EEXIST) {
      fail(name, "create its parent");
    }
    current = open_directory(path.path(), name.shown());
    if (!current) name.refuse("its parent cannot be created");
  }
  return current;
}

TreeWriter::Directory TreeWriter::parent(const EntryName& name) {
  auto path = name.parent();
  if (cached_ && cached_path_ == path) return cached_;
  Fd fd = open_directory(path, name.shown());
  if (!fd) {
    settle();  // something else of that name may be on its way
    fd = open_directory(path, name.shown());
  }
  if (!fd) fd = make_parents(name, name.components.size() - 1);
  cached_ = std::make_shared<const Fd>(std::move(fd));
  cached_path_ = path;
  return cached_;
}

// Whether no earlier entry had this name. (Two names with the same hash only cost time.)
bool TreeWriter::is_new(const EntryName& name) { return names_.insert(hash_of(name.path())).second && was_empty_; }

void TreeWriter::post_batch() {
  if (!batch_) return;
  batch_bytes_ = 0;
  group_->post([this, batch = std::exchange(batch_, nullptr)] {
    for (const auto& file : *batch) make(file);
  });
}

// Waits until everything so far is on disk as the archive has it.
void TreeWriter::settle() {
  if (group_) {
    post_batch();
    group_->wait();
  }
  for (const auto& link : std::exchange(links_, {})) link_now(link);
}

// Removes an earlier entry of this name, if there was one. Returns whether it was a whiteout.
bool TreeWriter::make_way(int parent, const EntryName& name) {
  if (is_new(name)) return false;
  settle();
  return clear_way(parent, name);
}

bool TreeWriter::clear_way(int parent, const EntryName& name) {
  struct stat info {};
  if (::fstatat(parent, base_of(name), &info, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno == ENOENT) return false;
    fail(name, "inspect");
  }
  if (S_ISDIR(info.st_mode)) refuse_twice(name);
  if (::unlinkat(parent, base_of(name), 0) < 0) fail(name, "replace");
  if (info.st_nlink <= 1) on_disk_ -= allocated(info);
  return is_whiteout(info);
}

void TreeWriter::count(int fd, const EntryName& name) {
  struct stat info {};
  if (::fstat(fd, &info) < 0) fail(name, "inspect");
  on_disk_ += allocated(info);
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

// As `apply`, with as few calls as the file needs.
void TreeWriter::finish_file(int fd, const EntryName& name, const Attributes& attributes, bool mode_is_set) {
  bool owner = attributes.uid != own_uid_ || attributes.gid != own_gid_ || foreign_group_;
  if (owner && ::fchown(fd, attributes.uid, attributes.gid) < 0) fail(name, "set owner");
  if (!mode_is_set && ::fchmod(fd, attributes.mode) < 0) fail(name, "set mode");
  for (const auto& [key, value] : attributes.xattrs)
    if (::fsetxattr(fd, key.c_str(), value.data(), value.size(), 0) < 0) fail(name, "set extended attribute " + key);
  timespec times[2] = {attributes.mtime, attributes.mtime};
  if (::futimens(fd, times) < 0) fail(name, "set time");
  count(fd, name);
}

void TreeWriter::directory(const EntryName& name, const Attributes& attributes) {
  if (!name.is_root()) {
    auto dir = parent(name);
    bool fresh = is_new(name);
    if (!fresh) settle();
    struct stat info {};
    bool there = !fresh && ::fstatat(dir->get(), base_of(name), &info, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there || !S_ISDIR(info.st_mode)) {
      bool deleted_below = there && clear_way(dir->get(), name);
      if (::mkdirat(dir->get(), base_of(name), 0700) < 0) fail(name, "create");
      if (deleted_below) opaque(name);
    }
  }
  directories_[name.path()] = attributes;
}

void TreeWriter::file(const EntryName& name, const Attributes& attributes, std::uint64_t size,
                      const std::function<void(const Content&)>& fill) {
  require_file(name);
  auto dir = parent(name);
  make_way(dir->get(), name);
  int raw = ::openat(dir->get(), base_of(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kPrivate);
  if (raw < 0) fail(name, "create");
  Fd fd(raw);
  fill([&](std::string_view piece, std::uint64_t offset) {
    space_.wrote(piece.size());
    if (!write_at(raw, piece, offset)) throw_errno(name.shown() + ": write");
  });
  if (::ftruncate(raw, static_cast<off_t>(size)) < 0) fail(name, "set length");
  finish_file(raw, name, attributes, false);
}

void TreeWriter::small_file(const EntryName& name, const Attributes& attributes, std::string content) {
  require_file(name);
  auto dir = parent(name);
  make_way(dir->get(), name);
  space_.wrote(content.size());
  SmallFile file{std::move(dir), name, attributes, std::move(content)};
  if (!group_) return make(file);
  if (!batch_) batch_ = std::make_shared<std::vector<SmallFile>>();
  batch_bytes_ += file.content.size();
  batch_->push_back(std::move(file));
  if (batch_->size() >= kBatchFiles || batch_bytes_ >= kBatchBytes) post_batch();
}

// On any thread.
void TreeWriter::make(const SmallFile& file) {
  const auto& mode = file.attributes.mode;
  bool plain = (mode & 07000) == 0 && (mode & umask_) == 0 && (mode & 0200) != 0;
  int raw = ::openat(file.parent->get(), base_of(file.name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     plain ? mode : kPrivate);
  if (raw < 0) fail(file.name, "create");
  Fd fd(raw);
  if (!file.content.empty()) write_all(raw, file.content, file.name.shown());
  finish_file(raw, file.name, file.attributes, plain);
}

void TreeWriter::symlink(const EntryName& name, const Attributes& attributes, const std::string& target) {
  require_file(name);
  auto dir = parent(name);
  make_way(dir->get(), name);
  if (::symlinkat(target.c_str(), dir->get(), base_of(name)) < 0) fail(name, "create symbolic link");
  apply(dir->get(), name, attributes, true);
}

void TreeWriter::hard_link(const EntryName& name, const EntryName& target) {
  require_link(name, target);
  Link link{name, target};
  bool later = group_ && names_.contains(hash_of(target.path())) && is_new(name);
  if (later) {
    links_.push_back(std::move(link));
    return;
  }
  settle();
  names_.insert(hash_of(name.path()));
  link_now(link);
}

void TreeWriter::link_now(const Link& link) {
  const auto& [name, target] = link;
  Fd target_dir = open_directory(target.parent(), name.shown());
  auto dir = parent(name);
  struct stat info {};
  if (!target_dir || ::fstatat(target_dir.get(), base_of(target), &info, AT_SYMLINK_NOFOLLOW) < 0)
    refuse_missing(name, target);
  if (S_ISDIR(info.st_mode)) refuse_directory(name, target);
  clear_way(dir->get(), name);
  if (::linkat(target_dir.get(), base_of(target), dir->get(), base_of(name), 0) < 0) fail(name, "create hard link");
}

void TreeWriter::node(const EntryName& name, const Attributes& attributes, mode_t type, dev_t device) {
  require_file(name);
  require_node(name, type, device);
  auto dir = parent(name);
  make_way(dir->get(), name);
  if (::mknodat(dir->get(), base_of(name), type | kPrivate, device) < 0) fail(name, "create");
  apply(dir->get(), name, attributes, false);
}

void TreeWriter::whiteout(const EntryName& name) {
  auto dir = parent(name);
  make_way(dir->get(), name);
  if (::mknodat(dir->get(), base_of(name), S_IFCHR, makedev(0, 0)) < 0) fail(name, "record a deletion");
}

void TreeWriter::opaque(const EntryName& name) {
  Fd target = open_directory(name.path(), name.shown());
  if (!target) {
    settle();
    target = open_directory(name.path(), name.shown());
  }
  if (!target) target = make_parents(name, name.components.size());
  if (::fsetxattr(target.get(), kOpaque, "y", 1, 0) < 0) fail(name, "mark opaque");
}

void TreeWriter::finish() {
  settle();
  cached_.reset();
  // Backwards, so that what is below a directory is done before the directory may be shut.
  for (auto entry = directories_.rbegin(); entry != directories_.rend(); ++entry) {
    auto name = EntryName::parse(entry->first);
    Fd directory = open_directory(entry->first, name.shown());
    if (!directory) fail(name, "open");
    if (entry->second) {
      auto self = EntryName{{"."}};
      apply(directory.get(), self, *entry->second, false);
    }
    count(directory.get(), name);
  }
  directories_.clear();
}

}  // namespace gantry::image
