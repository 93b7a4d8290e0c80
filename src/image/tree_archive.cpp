#include "gantry/image/tree_archive.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <vector>

#include "gantry/base/error.h"
#include "in_root.h"
#include "piece.h"
#include "tar_entry.h"
#include "tree_walk.h"

namespace gantry::image {
namespace {

constexpr std::size_t kEnough = 48u << 10;  // small entries go together
constexpr std::uint32_t kNobody = 65534;
constexpr std::size_t kDeepest = 2048;  // no path can lead deeper (PATH_MAX), and each level holds a descriptor
using FileIdentity = std::pair<dev_t, ino_t>;

std::uint32_t inside(std::uint32_t id, const IdShift& ids) {
  if (ids.size == 0) return id;
  return id >= ids.host && id - ids.host < ids.size ? id - ids.host : kNobody;
}

Timestamp time_of(const timespec& time) {
  return Timestamp(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

[[noreturn]] void not_there(const std::string& path) {
  int code = errno;
  if (code == ENOENT || code == ENOTDIR)
    throw Error(ErrorKind::not_found, "\"" + path + "\" does not exist in the container",
                "paths begin at the container's /; 'gantry exec NAME ls' shows what is there");
  throw system_error(code, "open \"" + path + "\" in the container");
}

Fd open_node(int root, const std::string& path, const Place& place) {
  int flags = O_PATH | (place.follow ? 0 : O_NOFOLLOW) | (place.content ? O_DIRECTORY : 0);
  Fd fd(open_in_root(root, place.directory + "/" + place.name, flags));
  if (!fd) not_there(path);
  if (is_kernels_own(fd.get()))
    throw Error(ErrorKind::invalid, "\"" + path + "\" is made up by the kernel and cannot be copied",
                "read it inside, with 'gantry exec NAME cat'");
  return fd;
}

std::string link_text(int fd) {
  std::string target(PATH_MAX, '\0');
  ssize_t length = ::readlinkat(fd, "", target.data(), target.size());
  if (length < 0) throw_errno("read a symbolic link");
  target.resize(static_cast<std::size_t>(length));
  return target;
}

// The kernel says where it ended up, as seen from the tree's root. A link that leads nowhere is shown one step far.
std::string end_of_link(int root, int link, const Place& place) {
  Fd end(open_in_root(root, place.directory + "/" + place.name, O_PATH));
  char path[PATH_MAX];
  ssize_t length = end ? ::readlink(through(end.get()).c_str(), path, sizeof path) : -1;
  if (length > 0 && path[0] == '/') return {path, static_cast<std::size_t>(length)};
  auto target = std::filesystem::path(place.directory) / link_text(link);
  return target.lexically_normal().string();
}

// A capability that was granted inside a user namespace names its root on the host (linux/capability.h, revision 3);
// to the container it is an ordinary one (revision 2).
std::string as_inside(std::string capability) {
  constexpr std::size_t kRevision2 = 20, kRevision3 = 24;
  constexpr unsigned char kFirst = 2;
  if (capability.size() != kRevision3) return capability;
  capability.resize(kRevision2);
  capability[3] = kFirst;
  return capability;
}

std::map<std::string, std::string> xattrs_of(int fd) {
  std::map<std::string, std::string> out;
  auto path = through(fd);
  std::string list(64u << 10, '\0');  // XATTR_LIST_MAX
  ssize_t size = ::listxattr(path.c_str(), list.data(), list.size());
  if (size <= 0) return out;
  for (const char* at = list.data(); at < list.data() + size; at += std::strlen(at) + 1) {
    std::string name = at;
    if (!name.starts_with("user.") && name != "security.capability") continue;
    std::string value(64u << 10, '\0');  // XATTR_SIZE_MAX
    ssize_t length = ::getxattr(path.c_str(), at, value.data(), value.size());
    if (length < 0) continue;  // removed meanwhile
    value.resize(static_cast<std::size_t>(length));
    out[name] = name == "security.capability" ? as_inside(std::move(value)) : std::move(value);
  }
  return out;
}

// One directory on the way down.
struct Level {
  Fd directory;
  std::string path;  ///< in the archive, with a '/' at its end
  std::vector<std::string> names;
  std::size_t next = 0;
};

}  // namespace

struct TreeArchive::Impl {
  Impl(Fd tree, const std::string& path, IdShift shift) : root(std::move(tree)), ids(shift) {
    auto place = place_of(path);
    start = open_node(root.get(), path, place);
    if (::fstat(start.get(), &info) < 0) throw_errno("inspect \"" + path + "\"");
    struct stat top {};
    if (::fstat(root.get(), &top) < 0) throw_errno("inspect the container's root");
    root_device = top.st_dev;
    status.name = place.name.empty() ? "/" : place.content ? "." : place.name;
    status.size = static_cast<std::uint64_t>(info.st_size);
    status.mode = info.st_mode;
    status.uid = inside(info.st_uid, ids);
    status.gid = inside(info.st_gid, ids);
    status.mtime = time_of(info.st_mtim);
    if (S_ISLNK(info.st_mode)) status.link_target = end_of_link(root.get(), start.get(), place);
    own_name = status.name == "/" ? "." : status.name;
    top_is_root = info.st_dev == top.st_dev && info.st_ino == top.st_ino;
  }

  TarEntry header_of(const std::string& path, const struct stat& of, int fd) const {
    TarEntry out;
    out.path = path;
    out.mode = of.st_mode & 07777;
    out.uid = inside(of.st_uid, ids);
    out.gid = inside(of.st_gid, ids);
    out.mtime = of.st_mtim.tv_sec;
    if (S_ISREG(of.st_mode) || S_ISDIR(of.st_mode)) out.xattrs = xattrs_of(fd);
    return out;
  }

  void put(Fd fd, const std::string& path, const struct stat& of, const std::string& name) {
    if (S_ISSOCK(of.st_mode)) return;
    if (!S_ISDIR(of.st_mode) && of.st_nlink > 1) {
      auto [known, first] = links.try_emplace({of.st_dev, of.st_ino}, path);
      if (!first) {
        auto header = header_of(path, of, fd.get());
        header.type = '1';
        header.link = known->second;
        header.xattrs.clear();
        ready += tar_header(header);
        return;
      }
    }
    auto header = header_of(path, of, fd.get());
    switch (of.st_mode & S_IFMT) {
      case S_IFREG:
        return begin_file(std::move(header), of, fd.get(), path);
      case S_IFDIR:
        return enter(std::move(header), std::move(fd), of, name);
      case S_IFLNK:
        header.type = '2';
        header.link = link_text(fd.get());
        break;
      case S_IFCHR:
      case S_IFBLK:
        header.type = S_ISCHR(of.st_mode) ? '3' : '4';
        header.major = major(of.st_rdev);
        header.minor = minor(of.st_rdev);
        break;
      default:
        header.type = '6';
    }
    ready += tar_header(header);
  }

  void begin_file(TarEntry header, const struct stat& of, int fd, const std::string& path) {
    file = Fd(::open(through(fd).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file) throw_errno("read \"" + path + "\"");
    header.size = rest = length = static_cast<std::uint64_t>(of.st_size);
    ready += tar_header(header);
  }

  // What the kernel makes up stays an empty directory, and so does /dev.
  void enter(TarEntry header, Fd fd, const struct stat& of, const std::string& name) {
    header.type = '5';
    header.path += '/';
    ready += tar_header(header);
    bool dev = name == "dev" && levels.size() == 1 && top_is_root && of.st_dev != root_device;
    if (dev || is_kernels_own(fd.get())) return;
    if (levels.size() == kDeepest)
      throw Error(ErrorKind::invalid,
                  "directories in the container are nested more than " + std::to_string(kDeepest) + " deep",
                  "copy a directory further down");
    Level level;
    level.names = sorted_names(fd.get(), header.path);
    level.path = header.path;
    level.directory = std::move(fd);
    levels.push_back(std::move(level));
  }

  // Puts the next entry into `ready`. False: there is none.
  bool step() {
    if (start) {
      auto name = own_name;
      put(std::move(start), name, info, name);
      start.reset();
      return true;
    }
    if (levels.empty()) return false;
    if (levels.back().next == levels.back().names.size()) {
      levels.pop_back();
      return true;
    }
    auto name = levels.back().names[levels.back().next++];
    Fd fd(::openat(levels.back().directory.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat of {};
    if (!fd || ::fstat(fd.get(), &of) < 0) return true;  // removed meanwhile
    put(std::move(fd), levels.back().path + name, of, name);
    return true;
  }

  void read_file() {
    auto had = ready.size();
    auto wanted = std::min<std::uint64_t>(rest, kPiece);
    ready.resize(had + wanted);
    ssize_t n = 0;
    if (wanted > 0) do
        n = ::read(file.get(), ready.data() + had, wanted);
      while (n < 0 && errno == EINTR);
    if (n < 0) throw_errno("read a file of the container");
    // It has become shorter: zeros, so that the length of the header holds.
    auto got = n == 0 ? wanted : static_cast<std::uint64_t>(n);
    if (n == 0) std::fill(ready.begin() + static_cast<std::ptrdiff_t>(had), ready.end(), '\0');
    ready.resize(had + got);
    rest -= got;
    if (rest > 0) return;
    ready += tar_padding(length);
    file.reset();
  }

  Fd root;
  IdShift ids;
  Fd start;
  struct stat info {};
  dev_t root_device = 0;
  bool top_is_root = false;
  std::string own_name;
  PathStat status;
  std::vector<Level> levels;
  std::map<FileIdentity, std::string> links;
  std::string ready;
  Fd file;
  std::uint64_t rest = 0;
  std::uint64_t length = 0;
  bool ended = false;
};

TreeArchive::TreeArchive(Fd root, const std::string& path, IdShift ids)
    : impl_(std::make_unique<Impl>(std::move(root), path, ids)) {}
TreeArchive::TreeArchive(TreeArchive&&) noexcept = default;
TreeArchive::~TreeArchive() = default;

const PathStat& TreeArchive::status() const { return impl_->status; }

std::string TreeArchive::next() {
  auto& self = *impl_;
  while (self.ready.size() < kEnough && !self.ended) {
    if (self.file) {
      self.read_file();
    } else if (!self.step()) {
      self.ready += tar_end();
      self.ended = true;
    }
  }
  return std::exchange(self.ready, {});
}

}  // namespace gantry::image
