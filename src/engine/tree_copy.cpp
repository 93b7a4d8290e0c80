#include "tree_copy.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "gantry/base/error.h"
#include "gantry/base/fd.h"
#include "gantry/base/files.h"

namespace gantry::engine {
namespace fs = std::filesystem;
namespace {

struct stat status_of(const fs::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) < 0) throw_errno("stat " + path.string());
  return status;
}

void check(int result, const fs::path& target) {
  if (result < 0) throw_errno("copy to " + target.string());
}

void copy_content(const fs::path& source, const fs::path& target) {
  auto from = open_file(source, O_RDONLY | O_NOFOLLOW);
  auto to = open_file(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  constexpr std::size_t kPiece = 64u << 20;
  for (;;) {
    auto copied = ::copy_file_range(from.get(), nullptr, to.get(), nullptr, kPiece, 0);
    if (copied < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP))
      copied = ::sendfile(to.get(), from.get(), nullptr, kPiece);
    if (copied < 0) throw_errno("copy to " + target.string());
    if (copied == 0) return;
  }
}

void copy_attributes(const fs::path& source, const fs::path& target) {
  auto length = ::llistxattr(source.c_str(), nullptr, 0);
  if (length <= 0) return;
  std::string names(static_cast<std::size_t>(length), '\0');
  length = ::llistxattr(source.c_str(), names.data(), names.size());
  std::vector<char> value(64u << 10);
  for (std::size_t at = 0; length > 0 && at < static_cast<std::size_t>(length);
       at += std::string(&names[at]).size() + 1) {
    const char* name = &names[at];
    if (std::string_view(name).starts_with("trusted.overlay.")) continue;
    auto size = ::lgetxattr(source.c_str(), name, value.data(), value.size());
    if (size < 0) throw_errno("read " + std::string(name) + " of " + source.string());
    check(::lsetxattr(target.c_str(), name, value.data(), static_cast<std::size_t>(size), 0), target);
  }
}

// Ownership first: chown clears the set-user-id bits and security.capability.
void copy_metadata(const fs::path& source, const struct stat& status, const fs::path& target) {
  check(::lchown(target.c_str(), status.st_uid, status.st_gid), target);
  copy_attributes(source, target);
  if (!S_ISLNK(status.st_mode)) check(::chmod(target.c_str(), status.st_mode & 07777), target);
  const std::array<timespec, 2> times = {status.st_atim, status.st_mtim};
  check(::utimensat(AT_FDCWD, target.c_str(), times.data(), AT_SYMLINK_NOFOLLOW), target);
}

void copy_entry(const fs::path& source, const struct stat& status, const fs::path& target) {
  if (S_ISREG(status.st_mode)) {
    copy_content(source, target);
  } else if (S_ISLNK(status.st_mode)) {
    check(::symlink(fs::read_symlink(source).c_str(), target.c_str()), target);
  } else {
    check(::mknod(target.c_str(), status.st_mode, status.st_rdev), target);
  }
  copy_metadata(source, status, target);
}

void put_directory(const fs::path& source, const fs::path& target) {
  struct stat there {};
  bool exists = ::lstat(target.c_str(), &there) == 0;
  if (exists && (!S_ISDIR(there.st_mode) || is_opaque(source))) {
    remove_tree(target);
    exists = false;
  }
  if (!exists) check(::mkdir(target.c_str(), 0700), target);
  copy_layer_directory(source, target);
}

}  // namespace

bool is_whiteout(const struct stat& status) { return S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0); }

bool is_opaque(const fs::path& directory) {
  char value = 0;
  return ::lgetxattr(directory.c_str(), "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

void clear_directory(const fs::path& directory) {
  for (const auto& entry : fs::directory_iterator(directory)) remove_tree(entry.path());
}

void copy_layer_directory(const fs::path& source, const fs::path& target) {
  for (const auto& entry : fs::directory_iterator(source)) {
    auto status = status_of(entry.path());
    auto place = target / entry.path().filename();
    if (S_ISDIR(status.st_mode)) {
      put_directory(entry.path(), place);
      continue;
    }
    remove_tree(place);
    if (!is_whiteout(status)) copy_entry(entry.path(), status, place);
  }
  copy_metadata(source, status_of(source), target);
}

}  // namespace gantry::engine
