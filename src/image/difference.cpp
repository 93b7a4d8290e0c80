#include "gantry/image/difference.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

#include "gantry/base/error.h"
#include "gantry/base/fd.h"
#include "gantry/image/image_store.h"
#include "overlay.h"
#include "piece.h"

namespace gantry::image {
namespace fs = std::filesystem;
namespace {

/// A name in a merged directory: the topmost file of that name and, of a directory, all that are merged, top first.
struct Node {
  struct stat info {};
  fs::path path;
  std::vector<fs::path> directories;
  bool closed = false;  ///< nothing from further below shows through
};
using Nodes = std::map<std::string, Node>;

bool is_opaque(const fs::path& directory) {
  char value = 0;
  return ::lgetxattr(directory.c_str(), kOpaque, &value, 1) == 1 && value == 'y';
}

// As overlayfs merges them.
Nodes list(const std::vector<fs::path>& directories) {
  Nodes out;
  std::set<std::string> hidden;
  for (const auto& directory : directories) {
    std::set<std::string> hidden_here;
    for (const auto& entry : fs::directory_iterator(directory)) {
      auto name = entry.path().filename().string();
      if (hidden.contains(name)) continue;
      struct stat info {};
      if (::lstat(entry.path().c_str(), &info) < 0) throw_errno("inspect " + entry.path().string());
      auto found = out.find(name);
      bool is_directory = S_ISDIR(info.st_mode);
      if (found == out.end() && is_whiteout(info)) {
        hidden_here.insert(name);
        continue;
      }
      if (found == out.end()) {
        Node node{info, entry.path(), {}, !is_directory};
        if (is_directory) node.directories.push_back(entry.path());
        if (is_directory) node.closed = is_opaque(entry.path());
        out.emplace(std::move(name), std::move(node));
        continue;
      }
      auto& node = found->second;
      if (node.closed) continue;
      if (is_directory) node.directories.push_back(entry.path());
      node.closed = !is_directory || is_opaque(entry.path());
    }
    hidden.merge(hidden_here);
  }
  return out;
}

bool same_content(const fs::path& a, const fs::path& b) {
  Fd left = open_file(a.string(), O_RDONLY | O_NOFOLLOW);
  Fd right = open_file(b.string(), O_RDONLY | O_NOFOLLOW);
  std::string one(kPiece, '\0'), other(kPiece, '\0');
  for (off_t at = 0;;) {
    ssize_t n = ::pread(left.get(), one.data(), kPiece, at);
    ssize_t m = ::pread(right.get(), other.data(), kPiece, at);
    if (n < 0 || m < 0) throw_errno("compare " + a.string());
    if (n != m || std::memcmp(one.data(), other.data(), static_cast<std::size_t>(n)) != 0) return false;
    if (n == 0) return true;
    at += n;
  }
}

// Without what belongs to overlayfs and to the machine.
std::map<std::string, std::string> attributes_of(const fs::path& path) {
  std::map<std::string, std::string> out;
  std::string names(64u << 10, '\0');
  ssize_t size = ::llistxattr(path.c_str(), names.data(), names.size());
  for (const char* at = names.data(); at < names.data() + std::max<ssize_t>(size, 0); at += std::strlen(at) + 1) {
    std::string name(at);
    if (!name.starts_with("user.") && name != "security.capability" && !name.starts_with("system.posix_acl_")) continue;
    std::string value(64u << 10, '\0');
    ssize_t length = ::lgetxattr(path.c_str(), at, value.data(), value.size());
    value.resize(static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
    out.emplace(std::move(name), std::move(value));
  }
  return out;
}

std::vector<std::string> differences(const Node& a, const Node& b) {
  std::vector<std::string> out;
  if (a.path == b.path) return out;
  auto type = a.info.st_mode & S_IFMT;
  if (type != (b.info.st_mode & S_IFMT)) return {"type"};
  if (type == S_IFREG && (a.info.st_size != b.info.st_size || !same_content(a.path, b.path))) out.push_back("content");
  if (type == S_IFLNK && fs::read_symlink(a.path) != fs::read_symlink(b.path)) out.push_back("link");
  if ((type == S_IFCHR || type == S_IFBLK) && a.info.st_rdev != b.info.st_rdev) out.push_back("type");
  if ((a.info.st_mode & 07777) != (b.info.st_mode & 07777)) out.push_back("mode");
  if (a.info.st_uid != b.info.st_uid || a.info.st_gid != b.info.st_gid) out.push_back("owner");
  if (attributes_of(a.path) != attributes_of(b.path)) out.push_back("attributes");
  return out;
}

class Comparison {
 public:
  std::vector<Difference> run(const std::vector<fs::path>& before, const std::vector<fs::path>& after) {
    compare(before, after, "/");
    std::sort(out_.begin(), out_.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    return std::move(out_);
  }

 private:
  void compare(const std::vector<fs::path>& before, const std::vector<fs::path>& after, const std::string& prefix) {
    if (before == after) return;
    auto old_nodes = list(before);
    auto new_nodes = list(after);
    for (const auto& [name, node] : old_nodes)
      if (!new_nodes.contains(name)) out_.push_back({DifferenceKind::deleted, prefix + name, {}});
    for (const auto& [name, node] : new_nodes) {
      auto path = prefix + name;
      auto old_node = old_nodes.find(name);
      if (old_node == old_nodes.end()) {
        added(node, path);
        continue;
      }
      auto what = differences(old_node->second, node);
      bool other_type = !what.empty() && what.front() == "type";
      if (!what.empty()) out_.push_back({DifferenceKind::modified, path, std::move(what)});
      if (!S_ISDIR(node.info.st_mode)) continue;
      std::vector<fs::path> nothing;
      compare(other_type ? nothing : old_node->second.directories, node.directories, path + "/");
    }
  }

  void added(const Node& node, const std::string& path) {
    out_.push_back({DifferenceKind::added, path, {}});
    if (!S_ISDIR(node.info.st_mode)) return;
    for (const auto& [name, below] : list(node.directories)) added(below, path + "/" + name);
  }

  std::vector<Difference> out_;
};

}  // namespace

std::vector<Difference> compare_images(ImageStore& images, const std::string& before, const std::string& after) {
  auto lease = images.lease();
  auto layers_of = [&](const std::string& reference) {
    std::vector<fs::path> out;
    for (const auto& diff_id : images.resolve(reference).layers) {
      images.hold(*lease, diff_id);
      out.insert(out.begin(), images.layer_path(diff_id));
    }
    return out;
  };
  auto first = layers_of(before);
  auto second = layers_of(after);
  return Comparison().run(first, second);
}

}  // namespace gantry::image
