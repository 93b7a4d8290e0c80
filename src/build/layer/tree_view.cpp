#include "layer/tree_view.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>
#include <set>

#include "gantry/base/error.h"
#include "plan/paths.h"

namespace gantry::build {

namespace {

constexpr int kMostLinks = 40;  // as the kernel

bool is_whiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0); }

std::string through_descriptor(const Fd& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); }

// The descriptor may be O_PATH, which fgetxattr refuses.
bool is_opaque(const Fd& directory) {
  char value = 0;
  return ::getxattr(through_descriptor(directory).c_str(), "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

Fd open_path(int directory, const char* name) { return Fd(::openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC)); }

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

using Entries = std::vector<std::pair<std::string, unsigned char>>;

Entries entries_of(int directory) {
  Fd copy(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy) throw_errno("read a directory");
  std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(copy.get()));
  if (!stream) throw_errno("read a directory");
  copy.release();
  Entries out;
  for (errno = 0; const dirent* entry = ::readdir(stream.get()); errno = 0) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") out.emplace_back(std::move(name), entry->d_type);
  }
  if (errno != 0) throw_errno("read a directory");
  return out;
}

}  // namespace

std::vector<std::string> names_in(int directory) {
  std::vector<std::string> out;
  for (auto& [name, type] : entries_of(directory)) out.push_back(std::move(name));
  return out;
}

std::string path_text(const std::vector<std::string>& components) {
  std::string out;
  for (const auto& part : components) out.append(out.empty() ? "" : "/").append(part);
  return out;
}

std::string read_link(const Node& node) {
  std::string target(static_cast<std::size_t>(node.status.st_size) + 256, '\0');
  ssize_t length = ::readlinkat(node.fd.get(), "", target.data(), target.size());
  if (length < 0) throw_errno("read a symbolic link");
  target.resize(static_cast<std::size_t>(length));
  return target;
}

Fd reopen(const Node& node, int flags) { return open_file(through_descriptor(node.fd), flags); }

TreeView::TreeView(const std::vector<std::filesystem::path>& layers, Visible visible) : visible_(std::move(visible)) {
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer)
    layers_.push_back(open_file(layer->string(), O_PATH | O_DIRECTORY));
}

Node TreeView::root() const {
  Node node;
  for (const auto& layer : layers_) {
    if (!node.fd) {
      if (::fstat(layer.get(), &node.status) < 0) throw_errno("inspect a layer");
      node.fd = layer.duplicate();
    } else {
      node.below.push_back(layer.duplicate());
    }
  }
  node.upper = true;
  return node;
}

std::optional<Node> TreeView::child(const Node& directory, const std::string& name, const std::string& path) const {
  if (visible_ && !visible_(path)) return std::nullopt;
  std::optional<Node> found;
  bool top = true;
  auto take = [&](const Fd& layer) {
    Fd fd = open_path(layer.get(), name.c_str());
    bool first = std::exchange(top, false);
    if (!fd) {
      if (errno == ENOENT) return true;
      throw_errno("open \"" + path + "\"");
    }
    struct stat info {};
    if (::fstat(fd.get(), &info) < 0) throw_errno("inspect \"" + path + "\"");
    bool is_directory = S_ISDIR(info.st_mode);
    if (is_whiteout(info) || (found && !is_directory)) return false;
    bool more = is_directory && !is_opaque(fd);
    if (found) {
      found->below.push_back(std::move(fd));
    } else {
      found.emplace();
      found->status = info;
      found->fd = std::move(fd);
      found->upper = first && directory.upper;
    }
    return more;
  };
  bool more = take(directory.fd);
  for (auto layer = directory.below.begin(); more && layer != directory.below.end(); ++layer) more = take(*layer);
  return found;
}

// Keeps the nodes above, so that ".." is what it was on the way down.
TreeView::Resolved TreeView::resolve(std::string_view path, bool follow_last) const {
  Resolved out;
  std::vector<Node> above;
  above.push_back(root());
  std::deque<std::string> todo;
  for (auto& part : components_of(path)) todo.push_back(std::move(part));
  int links = 0;
  while (!todo.empty()) {
    auto name = std::move(todo.front());
    todo.pop_front();
    if (name == "..") {
      if (above.size() > 1) above.pop_back(), out.path.pop_back();
      continue;
    }
    if (!above.back().is_directory())
      throw Error(ErrorKind::invalid, "\"/" + path_text(out.path) + "\" is not a directory");
    out.path.push_back(name);
    auto found = child(above.back(), name, path_text(out.path));
    if (!found) {
      out.path.pop_back();
      out.missing.push_back(name);
      break;
    }
    if (!found->is_link() || (todo.empty() && !follow_last)) {
      above.push_back(std::move(*found));
      continue;
    }
    if (++links > kMostLinks)
      throw Error(ErrorKind::invalid, "\"" + std::string(path) + "\" leads through too many links");
    auto target = read_link(*found);
    out.path.pop_back();
    if (target.starts_with('/')) above.resize(1), out.path.clear();
    auto parts = components_of(target);
    todo.insert(todo.begin(), parts.begin(), parts.end());
  }
  // Below something that does not exist, ".." can only take away names.
  for (const auto& name : todo) {
    if (name != "..") {
      out.missing.push_back(name);
    } else if (!out.missing.empty()) {
      out.missing.pop_back();
    } else {
      throw Error(ErrorKind::invalid, "\"" + std::string(path) + "\" leaves a directory that does not exist");
    }
  }
  if (out.missing.empty()) out.node = std::move(above.back());
  return out;
}

std::vector<std::string> TreeView::names(const Node& directory, const std::string& path) const {
  std::set<std::string> seen;
  std::vector<std::string> out;
  auto take = [&](const Fd& layer) {
    for (auto& [name, type] : entries_of(layer.get())) {
      if (!seen.insert(name).second) continue;
      bool maybe_whiteout = type == DT_CHR || type == DT_UNKNOWN;
      auto full = path.empty() ? name : path + "/" + name;
      if ((maybe_whiteout || visible_) && !child(directory, name, full)) continue;
      out.push_back(name);
    }
  };
  take(directory.fd);
  for (const auto& layer : directory.below) take(layer);
  std::sort(out.begin(), out.end());
  return out;
}

std::string TreeView::read(std::string_view path) const {
  auto found = resolve(path, true);
  if (!found.node || !S_ISREG(found.node->status.st_mode)) return {};
  Fd fd = reopen(*found.node, O_RDONLY);
  return read_to_end(fd.get(), path);
}

}  // namespace gantry::build
