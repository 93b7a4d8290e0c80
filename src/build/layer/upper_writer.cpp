#include "layer/upper_writer.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "gantry/base/error.h"
#include "layer/file_copy.h"

namespace gantry::build {

namespace {

Fd open_below(const Fd& parent, const std::string& name) {
  return Fd(::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

[[noreturn]] void clash(const std::vector<std::string>& path, bool directory) {
  throw Error(ErrorKind::conflict, "\"/" + path_text(path) + "\" is there already and is " +
                                       (directory ? "a directory, not a file" : "not a directory"));
}

void set_directory_time(int fd, std::optional<std::int64_t> seconds) {
  if (!seconds) return;
  timespec times[2] = {{*seconds, 0}, {*seconds, 0}};
  if (::futimens(fd, times) < 0) throw_errno("set the time of a directory");
}

}  // namespace

UpperWriter::UpperWriter(const std::filesystem::path& upper, const TreeView& view, Look look)
    : root_(open_file(upper.string(), O_RDONLY | O_DIRECTORY)), view_(view), look_(std::move(look)) {}

// Steps into `name` of the upper directory `parent`, making it there when it is only below or nowhere.
Fd UpperWriter::enter(const Fd& parent, const Node* below, std::vector<std::string>& at, const std::string& name) {
  at.push_back(name);
  if (below != nullptr && !below->is_directory()) clash(at, false);
  if (below != nullptr && below->upper) {
    Fd there = open_below(parent, name);
    if (!there) throw_errno("open \"/" + path_text(at) + "\"");
    return there;
  }
  clear_way(parent, at);
  if (::mkdirat(parent.get(), name.c_str(), 0755) < 0) throw_errno("create \"/" + path_text(at) + "\"");
  Fd made = open_below(parent, name);
  if (!made) throw_errno("open \"/" + path_text(at) + "\"");
  if (below != nullptr) {
    copy_directory_attributes(*below, made.get(), path_text(at));
  } else {
    if (::fchown(made.get(), look_.parent_owner.uid, look_.parent_owner.gid) < 0 || ::fchmod(made.get(), 0755) < 0)
      throw_errno("set the owner of \"/" + path_text(at) + "\"");
    set_directory_time(made.get(), look_.time);
  }
  return made;
}

const UpperWriter::Place& UpperWriter::open_directory(const std::vector<std::string>& path) {
  if (last_ && last_->path == path) return *last_;
  last_.reset();
  Place place{{}, root_.duplicate(), view_.root()};
  for (const auto& name : path) {
    auto full = place.path;
    full.push_back(name);
    auto next = view_.child(place.node, name, path_text(full));
    bool there = next && next->upper;
    place.fd = enter(place.fd, next ? &*next : nullptr, place.path, name);
    if (!there) next = view_.child(place.node, name, path_text(full));
    place.node = std::move(*next);
  }
  return last_.emplace(std::move(place));
}

void UpperWriter::require_no_directory(const Place& parent, const std::vector<std::string>& path) const {
  auto existing = view_.child(parent.node, path.back(), path_text(path));
  if (existing && existing->is_directory()) clash(path, true);
}

void UpperWriter::make_directory(const std::vector<std::string>& path) { open_directory(path); }

// Removes a whiteout or an earlier file of this layer.
void UpperWriter::clear_way(const Fd& parent, const std::vector<std::string>& path) {
  if (::unlinkat(parent.get(), path.back().c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno == EISDIR) clash(path, true);
  throw_errno("replace \"/" + path_text(path) + "\"");
}

void UpperWriter::copy(const TreeView& source, const Node& node, const std::string& source_path,
                       const std::vector<std::string>& path) {
  if (node.is_directory()) {
    copy_directory(source, node, source_path, path);
  } else {
    copy_leaf(node, source_path, path);
  }
}

void UpperWriter::copy_directory(const TreeView& source, const Node& node, const std::string& source_path,
                                 const std::vector<std::string>& path) {
  open_directory(path);
  copy_children(source, node, source_path, path);
  std::vector<std::string> parent_path(path.begin(), path.end() - 1);
  dress(open_directory(parent_path).fd, path.back(), node);
}

void UpperWriter::copy_children(const TreeView& source, const Node& directory, const std::string& source_path,
                                const std::vector<std::string>& path) {
  open_directory(path);
  for (const auto& name : source.names(directory, source_path)) {
    auto full = source_path.empty() ? name : source_path + "/" + name;
    auto child = source.child(directory, name, full);
    if (!child) continue;
    auto target = path;
    target.push_back(name);
    copy(source, *child, full, target);
  }
}

void UpperWriter::copy_leaf(const Node& node, const std::string& source_path, const std::vector<std::string>& path) {
  std::vector<std::string> parent_path(path.begin(), path.end() - 1);
  const auto& place = open_directory(parent_path);
  require_no_directory(place, path);
  Fd parent = place.fd.duplicate();
  clear_way(parent, path);
  if (link_to_earlier(node, parent, path.back())) return;
  create_leaf(node, source_path, parent, path.back());
  if (node.status.st_nlink > 1) linked_[{node.status.st_dev, node.status.st_ino}] = path;
}

bool UpperWriter::link_to_earlier(const Node& node, const Fd& parent, const std::string& name) {
  if (node.status.st_nlink < 2) return false;
  auto earlier = linked_.find({node.status.st_dev, node.status.st_ino});
  if (earlier == linked_.end()) return false;
  const auto& path = earlier->second;
  const auto& directory = open_directory({path.begin(), path.end() - 1});
  if (::linkat(directory.fd.get(), path.back().c_str(), parent.get(), name.c_str(), 0) == 0) return true;
  if (errno == ENOENT || errno == EMLINK) return false;
  throw_errno("link \"/" + path_text(path) + "\"");
}

void UpperWriter::create_leaf(const Node& node, const std::string& source_path, const Fd& parent,
                              const std::string& name) {
  mode_t type = node.status.st_mode & S_IFMT;
  if (type == S_IFREG) {
    copy_file(node, parent, name);
  } else if (type == S_IFLNK) {
    if (::symlinkat(read_link(node).c_str(), parent.get(), name.c_str()) < 0)
      throw_errno("create the link \"" + source_path + "\"");
  } else if (type == S_IFSOCK) {
    return;  // a socket means nothing without the program behind it
  } else if (::mknodat(parent.get(), name.c_str(), type | 0600, node.status.st_rdev) < 0) {
    throw_errno("create the device \"" + source_path + "\"");
  }
  dress(parent, name, node);
}

void UpperWriter::copy_file(const Node& node, const Fd& parent, const std::string& name) {
  Fd in = reopen(node, O_RDONLY);
  Fd out(::openat(parent.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out) throw_errno("create \"" + name + "\"");
  copy_content(in.get(), out.get(), name);
}

unsigned UpperWriter::mode_of(mode_t mode) const {
  return look_.mode ? look_.mode->apply(mode & 07777, S_ISDIR(mode)) : mode & 07777;
}

// Owner before mode: changing the owner clears the set-user-id bits. Times last.
void UpperWriter::dress(const Fd& parent, const std::string& name, const Node& node) {
  auto owner = look_.owner.value_or(oci::Owner{node.status.st_uid, node.status.st_gid});
  const char* raw = name.c_str();
  if (::fchownat(parent.get(), raw, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) < 0)
    throw_errno("set the owner of " + name);
  if (!node.is_link()) {
    if (::fchmodat(parent.get(), raw, mode_of(node.status.st_mode), 0) < 0) throw_errno("set the mode of " + name);
    copy_xattrs(node, parent.get(), name);
  }
  timespec times[2] = {node.status.st_mtim, node.status.st_mtim};
  if (::utimensat(parent.get(), raw, times, AT_SYMLINK_NOFOLLOW) < 0) throw_errno("set the time of " + name);
}

void UpperWriter::write_file(const std::vector<std::string>& path, const std::string& content) {
  const auto& place = open_directory({path.begin(), path.end() - 1});
  require_no_directory(place, path);
  clear_way(place.fd, path);
  Fd out(::openat(place.fd.get(), path.back().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out) throw_errno("create \"/" + path_text(path) + "\"");
  write_all(out.get(), content, path_text(path));
  auto owner = look_.owner.value_or(oci::Owner{});
  if (::fchown(out.get(), owner.uid, owner.gid) < 0 || ::fchmod(out.get(), mode_of(S_IFREG | 0644)) < 0)
    throw_errno("set the owner of \"/" + path_text(path) + "\"");
  set_directory_time(out.get(), look_.time);
}

void copy_directory_attributes(const Node& from, int to, const std::string& shown) {
  if (::fchown(to, from.status.st_uid, from.status.st_gid) < 0 || ::fchmod(to, from.status.st_mode & 07777) < 0)
    throw_errno("bring up \"/" + shown + "\"");
  copy_xattrs(from, to, ".");
  timespec times[2] = {from.status.st_mtim, from.status.st_mtim};
  if (::futimens(to, times) < 0) throw_errno("bring up \"/" + shown + "\"");
}

void make_upper(const std::filesystem::path& path, const TreeView* view) {
  if (::mkdir(path.c_str(), 0755) < 0) throw_errno("create " + path.string());
  Fd fd = open_file(path.string(), O_RDONLY | O_DIRECTORY);
  if (::fchmod(fd.get(), 0755) < 0) throw_errno("set the mode of " + path.string());
  if (view != nullptr) copy_directory_attributes(view->root(), fd.get(), "");
}

}  // namespace gantry::build
