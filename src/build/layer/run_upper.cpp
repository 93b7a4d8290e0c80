#include "layer/run_upper.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "gantry/base/error.h"

namespace gantry::build {

namespace {

constexpr auto kScript = ".gantry-run-script";

bool is_empty(const TreeView& view, const Node& node, const std::string& path) {
  if (node.is_directory()) return view.names(node, path).empty();
  return S_ISREG(node.status.st_mode) && node.status.st_size == 0;
}

}  // namespace

std::string place_script(const std::filesystem::path& upper, const std::string& content) {
  Fd fd = open_file((upper / kScript).string(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0755);
  write_all(fd.get(), content, "the script of the step");
  if (::fchmod(fd.get(), 0755) < 0) throw_errno("make the script of the step executable");
  return kScript;
}

void remove_script(const std::filesystem::path& upper) {
  Fd root = open_file(upper.string(), O_RDONLY | O_DIRECTORY);
  if (::unlinkat(root.get(), kScript, 0) < 0 && errno != ENOENT) throw_errno("remove the script of the step");
}

void remove_if_empty(const std::filesystem::path& upper, const std::vector<std::string>& path) {
  TreeView view({upper});
  auto node = view.root();
  std::string shown;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (!node.is_directory()) return;
    shown += (i == 0 ? "" : "/") + path[i];
    auto next = view.child(node, path[i], shown);
    if (!next) return;
    if (i + 1 < path.size()) {
      node = std::move(*next);
      continue;
    }
    if (!is_empty(view, *next, shown)) return;
    Fd parent = reopen(node, O_RDONLY | O_DIRECTORY);
    if (::unlinkat(parent.get(), path[i].c_str(), next->is_directory() ? AT_REMOVEDIR : 0) < 0)
      throw_errno("remove the mount point \"" + shown + "\"");
  }
}

void remove_mount_points(const std::filesystem::path& upper, const TreeView* below) {
  static constexpr std::array<const char*, 7> kPoints = {
      "etc/resolv.conf", "etc/hosts", "etc/hostname", "etc", "proc", "sys", "dev"};
  TreeView view({upper});
  for (std::string path : kPoints) {
    // Without following links: "etc" itself may be one that the step made.
    auto slash = path.find('/');
    auto root = view.root();
    auto node = view.child(root, path.substr(0, slash), path.substr(0, slash));
    Fd parent = open_file(upper.string(), O_RDONLY | O_DIRECTORY);
    if (node && slash != std::string::npos) {
      if (!node->is_directory()) continue;
      parent = reopen(*node, O_RDONLY | O_DIRECTORY);
      node = view.child(*node, path.substr(slash + 1), path);
    }
    if (!node || !is_empty(view, *node, path)) continue;
    if (below != nullptr && below->resolve(path, true).node) continue;
    auto name = path.substr(slash == std::string::npos ? 0 : slash + 1);
    if (::unlinkat(parent.get(), name.c_str(), node->is_directory() ? AT_REMOVEDIR : 0) < 0)
      throw_errno("remove the mount point \"" + path + "\"");
  }
}

}  // namespace gantry::build
