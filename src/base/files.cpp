#include "gantry/base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "gantry/base/error.h"
#include "gantry/base/ids.h"
#include "gantry/base/log.h"

namespace gantry {
namespace fs = std::filesystem;

std::string read_file(const fs::path& path, std::size_t limit) {
  Fd fd = open_file(path.string(), O_RDONLY);
  return read_to_end(fd.get(), path.string(), limit);
}

std::optional<std::string> read_file_if_exists(const fs::path& path, std::size_t limit) {
  int raw = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (raw < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw_errno("open " + path.string());
  }
  Fd fd(raw);
  return read_to_end(fd.get(), path.string(), limit);
}

void write_file(const fs::path& path, std::string_view data, unsigned mode) {
  Fd fd = open_file(path.string(), O_WRONLY | O_CREAT | O_TRUNC, mode);
  write_all(fd.get(), data, path.string());
}

void write_file_durably(const fs::path& path, std::string_view data, unsigned mode) {
  fs::path temporary = path;
  temporary += ".new-" + random_hex(8);
  try {
    Fd fd = open_file(temporary.string(), O_WRONLY | O_CREAT | O_EXCL, mode);
    write_all(fd.get(), data, temporary.string());
    if (::fsync(fd.get()) < 0) throw_errno("sync " + temporary.string());
    if (::rename(temporary.c_str(), path.c_str()) < 0) throw_errno("rename " + temporary.string());
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_directory(path.parent_path());
}

void sync_directory(const fs::path& path) {
  Fd fd = open_file(path.empty() ? "." : path.string(), O_RDONLY | O_DIRECTORY);
  if (::fsync(fd.get()) < 0) throw_errno("sync " + path.string());
}

void make_directories(const fs::path& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) == 0) return;
  if (errno == EEXIST) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return;
    throw Error(ErrorKind::conflict, "create directory " + path.string() + ": a file of that name is in the way");
  }
  if (errno != ENOENT || !path.has_parent_path() || path.parent_path() == path)
    throw_errno("create directory " + path.string());
  make_directories(path.parent_path(), mode);
  if (::mkdir(path.c_str(), mode) < 0 && errno != EEXIST) throw_errno("create directory " + path.string());
}

namespace {

// Works on directory descriptors throughout, so that a link swapped in meanwhile is removed, never followed.
void remove_entries(int directory_fd, const std::string& shown, dev_t device) {
  int copy = ::openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) throw_errno("open " + shown);
  DIR* stream = ::fdopendir(copy);
  if (stream == nullptr) {
    ::close(copy);
    throw_errno("open " + shown);
  }
  std::unique_ptr<DIR, int (*)(DIR*)> guard(stream, ::closedir);
  std::vector<std::string> names;
  while (dirent* entry = ::readdir(stream))
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
      names.emplace_back(entry->d_name);
  for (const auto& name : names) {
    if (::unlinkat(directory_fd, name.c_str(), 0) == 0 || errno == ENOENT) continue;
    if (errno != EISDIR && errno != EPERM) throw_errno("remove " + shown + "/" + name);
    int child = ::openat(directory_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (child < 0) throw_errno("remove " + shown + "/" + name);
    Fd owner(child);
    struct stat info {};
    if (::fstat(child, &info) < 0) throw_errno("inspect " + shown + "/" + name);
    if (info.st_dev != device)
      throw Error(ErrorKind::conflict, "remove " + shown + "/" + name + ": another file system is mounted there");
    remove_entries(child, shown + "/" + name, device);
    if (::unlinkat(directory_fd, name.c_str(), AT_REMOVEDIR) < 0 && errno != ENOENT)
      throw_errno("remove " + shown + "/" + name);
  }
}

}  // namespace

void remove_tree(const fs::path& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM) throw_errno("remove " + path.string());
  int raw = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (raw < 0) throw_errno("remove " + path.string());
  Fd directory(raw);
  struct stat info {};
  if (::fstat(raw, &info) < 0) throw_errno("inspect " + path.string());
  remove_entries(raw, path.string(), info.st_dev);
  if (::rmdir(path.c_str()) < 0 && errno != ENOENT) throw_errno("remove " + path.string());
}

TemporaryDirectory::TemporaryDirectory(const fs::path& parent, std::string_view prefix)
    : path_(parent / (std::string(prefix) + random_hex(12))) {
  if (::mkdir(path_.c_str(), 0700) < 0) throw_errno("create directory " + path_.string());
}

TemporaryDirectory::~TemporaryDirectory() {
  if (path_.empty()) return;
  try {
    remove_tree(path_);
  } catch (const Error& error) {
    log::warn("temporary directory left behind: {}", error.message());
  }
}

std::uint64_t tree_size(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::uint64_t total = 0;
  std::error_code failed;
  for (fs::recursive_directory_iterator entry(path, fs::directory_options::skip_permission_denied, failed), end;
       !failed && entry != end; entry.increment(failed)) {
    std::error_code gone;
    if (entry->symlink_status(gone).type() != fs::file_type::regular) continue;
    auto size = entry->file_size(gone);
    if (!gone) total += size;
  }
  return total;
}

}  // namespace gantry
