#include "layer_tar.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <set>
#include <vector>

#include "allocated.h"
#include "gantry/base/error.h"
#include "overlay.h"
#include "piece.h"
#include "tar_entry.h"
#include "tree_walk.h"

namespace gantry::image {
namespace {

using FileIdentity = std::pair<dev_t, ino_t>;

std::vector<std::string> xattr_names(const std::string& path, const std::string& shown) {
  for (;;) {
    ssize_t size = ::llistxattr(path.c_str(), nullptr, 0);
    if (size < 0 && errno == EOPNOTSUPP) return {};
    if (size < 0) throw_errno("read extended attributes of " + shown);
    std::string list(static_cast<std::size_t>(size), '\0');
    size = ::llistxattr(path.c_str(), list.data(), list.size());
    if (size < 0 && errno == ERANGE) continue;
    if (size < 0) throw_errno("read extended attributes of " + shown);
    std::vector<std::string> names;
    for (const char* at = list.data(); at < list.data() + size; at += names.back().size() + 1) names.emplace_back(at);
    return names;
  }
}

std::string xattr_value(const std::string& path, const std::string& name, const std::string& shown) {
  std::string value(64u << 10, '\0');  // XATTR_SIZE_MAX
  ssize_t size = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
  if (size < 0) throw_errno("read extended attribute " + name + " of " + shown);
  value.resize(static_cast<std::size_t>(size));
  return value;
}

bool is_kept_xattr(const std::string& name) {
  return name.starts_with("user.") || name == "security.capability" || name == "system.posix_acl_access" ||
         name == "system.posix_acl_default";
}

bool is_opaque(const std::string& path) {
  char value = 0;
  return ::lgetxattr(path.c_str(), kOpaque, &value, 1) == 1 && value == 'y';
}

class Serializer {
 public:
  Serializer(const std::function<void(std::string_view)>& sink, const std::function<bool(const std::string&)>& skip)
      : sink_(sink), skip_(skip), buffer_(new char[kPiece]) {}

  LayerTar run(int directory) {
    root(directory);
    walk_tree(directory, [this](const TreeEntry& entry) { take(entry); });
    emit(tar_end());
    result_.digest = hasher_.finish();
    return result_;
  }

 private:
  void emit(std::string_view data) {
    hasher_.update(data);
    result_.bytes += data.size();
    if (sink_) sink_(data);
  }

  void root(int directory) {
    struct stat info {};
    if (::fstat(directory, &info) < 0) throw_errno("inspect layer directory");
    result_.on_disk += allocated(info);
    std::string name = ".";
    TarEntry header = describe({directory, name, name, info});
    header.path = "./";
    header.mtime = 0;
    bool ordinary = header.mode == 0755 && header.uid == 0 && header.gid == 0 && header.xattrs.empty();
    if (!ordinary) emit(tar_header(header));
    if (is_opaque(through_descriptor(directory, "."))) mark("", ".wh..wh..opq");
  }

  void mark(const std::string& directory, const std::string& name) { emit(tar_header({.path = directory + name})); }

  TarEntry describe(const TreeEntry& entry) {
    TarEntry out;
    out.path = entry.path;
    out.mode = entry.info.st_mode & 07777;
    out.uid = entry.info.st_uid;
    out.gid = entry.info.st_gid;
    out.mtime = entry.info.st_mtim.tv_sec;
    auto path = through_descriptor(entry.parent, entry.name);
    for (const auto& name : xattr_names(path, entry.path))
      if (is_kept_xattr(name)) out.xattrs.emplace(name, xattr_value(path, name, entry.path));
    return out;
  }

  void take(const TreeEntry& entry) {
    if (skip_ && skip_(entry.path)) return;
    if (entry.name.starts_with(".wh."))
      throw Error(ErrorKind::invalid,
                  "layer file \"" + entry.path + "\": a name that begins with .wh. means a deletion in an image layer",
                  "rename the file");
    if (is_whiteout(entry.info)) {
      mark(entry.path.substr(0, entry.path.size() - entry.name.size()), ".wh." + entry.name);
      return;
    }
    if (S_ISSOCK(entry.info.st_mode)) return;
    bool several_names = !S_ISDIR(entry.info.st_mode) && entry.info.st_nlink > 1;
    if (several_names) {
      auto [known, first] = links_.try_emplace({entry.info.st_dev, entry.info.st_ino}, entry.path);
      if (!first) return link(entry, known->second);
    }
    result_.on_disk += allocated(entry.info);
    content(entry, describe(entry));
  }

  void link(const TreeEntry& entry, const std::string& first) {
    TarEntry header = describe(entry);
    header.type = '1';
    header.link = first;
    header.xattrs.clear();
    emit(tar_header(header));
  }

  void content(const TreeEntry& entry, TarEntry header) {
    switch (entry.info.st_mode & S_IFMT) {
      case S_IFREG:
        return file(entry, header);
      case S_IFDIR:
        return directory(entry, header);
      case S_IFLNK:
        return symlink(entry, header);
      case S_IFCHR:
        header.type = '3';
        break;
      case S_IFBLK:
        header.type = '4';
        break;
      case S_IFIFO:
        header.type = '6';
        break;
      default:
        throw Error(ErrorKind::internal, "layer file \"" + entry.path + "\" is of an unknown kind");
    }
    if (header.type != '6') {
      header.major = major(entry.info.st_rdev);
      header.minor = minor(entry.info.st_rdev);
    }
    emit(tar_header(header));
  }

  void directory(const TreeEntry& entry, TarEntry& header) {
    header.type = '5';
    header.path += '/';
    emit(tar_header(header));
    if (is_opaque(through_descriptor(entry.parent, entry.name))) mark(header.path, ".wh..wh..opq");
  }

  void symlink(const TreeEntry& entry, TarEntry& header) {
    header.type = '2';
    header.mode = 0777;
    header.link.resize(static_cast<std::size_t>(entry.info.st_size) + 1);
    ssize_t size = ::readlinkat(entry.parent, entry.name.c_str(), header.link.data(), header.link.size());
    if (size < 0) throw_errno("read symbolic link " + entry.path);
    header.link.resize(static_cast<std::size_t>(size));
    emit(tar_header(header));
  }

  void file(const TreeEntry& entry, TarEntry& header) {
    int raw = ::openat(entry.parent, entry.name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (raw < 0) throw_errno("open layer file " + entry.path);
    Fd fd(raw);
    header.size = static_cast<std::uint64_t>(entry.info.st_size);
    emit(tar_header(header));
    std::uint64_t left = header.size;
    while (left > 0) {
      ssize_t n = ::read(raw, buffer_.get(), static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, left)));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw_errno("read layer file " + entry.path);
      if (n == 0)
        throw Error(ErrorKind::conflict, "layer file \"" + entry.path + "\" became shorter while it was read");
      emit({buffer_.get(), static_cast<std::size_t>(n)});
      left -= static_cast<std::uint64_t>(n);
    }
    emit(tar_padding(header.size));
  }

  const std::function<void(std::string_view)>& sink_;
  const std::function<bool(const std::string&)>& skip_;
  std::unique_ptr<char[]> buffer_;
  oci::Hasher hasher_;
  LayerTar result_;
  std::map<FileIdentity, std::string> links_;
};

void clean_attributes(const std::string& path, const std::string& shown) {
  constexpr std::array<std::string_view, 2> kIncomplete{"trusted.overlay.redirect", "trusted.overlay.metacopy"};
  for (const auto& name : xattr_names(path, shown)) {
    if (!name.starts_with(kOverlayPrefix) || name == kOpaque) continue;
    for (auto incomplete : kIncomplete)
      if (name == incomplete)
        throw Error(ErrorKind::unsupported,
                    "layer file \"" + shown + "\" carries " + name + " and is not complete by itself",
                    "mount the overlay with redirect_dir=off,metacopy=off");
    if (::lremovexattr(path.c_str(), name.c_str()) < 0 && errno != ENODATA)
      throw_errno("remove extended attribute " + name + " of " + shown);
  }
}

}  // namespace

LayerTar write_layer_tar(int directory, const std::function<void(std::string_view)>& sink,
                         const std::function<bool(const std::string&)>& skip) {
  return Serializer(sink, skip).run(directory);
}

void clean_upper(int directory) {
  clean_attributes(through_descriptor(directory, "."), "/");
  walk_tree(directory, [](const TreeEntry& entry) {
    if (S_ISSOCK(entry.info.st_mode)) {
      if (::unlinkat(entry.parent, entry.name.c_str(), 0) < 0) throw_errno("remove socket " + entry.path);
      return;
    }
    clean_attributes(through_descriptor(entry.parent, entry.name), entry.path);
  });
}

std::uint64_t disk_usage(int directory) {
  std::uint64_t total = 0;
  std::set<FileIdentity> seen;
  walk_tree(directory, [&](const TreeEntry& entry) {
    if (entry.info.st_nlink > 1 && !S_ISDIR(entry.info.st_mode) &&
        !seen.emplace(entry.info.st_dev, entry.info.st_ino).second)
      return;
    total += allocated(entry.info);
  });
  return total;
}

}  // namespace gantry::image
