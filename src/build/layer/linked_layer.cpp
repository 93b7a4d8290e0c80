#include "layer/linked_layer.h"

#include <fcntl.h>
#include <unistd.h>

#include "gantry/base/error.h"
#include "plan/paths.h"

namespace gantry::build {

std::vector<std::pair<std::string, struct ::stat>> directories_to(const TreeView& image,
                                                                  const std::string& destination) {
  auto parts = components_of(destination);
  auto node = image.root();
  std::vector<std::pair<std::string, struct ::stat>> out{{"", node.status}};
  std::string path;
  for (const auto& part : parts) {
    path += (path.empty() ? "" : "/") + part;
    auto next = image.child(node, part, path);
    if (!next || !next->is_directory()) break;
    node = std::move(*next);
    out.emplace_back(path, node.status);
  }
  return out;
}

void dress_directories(const std::filesystem::path& upper, const TreeView& image, const std::string& destination) {
  TreeView view({upper});
  for (const auto& [path, status] : directories_to(image, destination)) {
    auto found = view.resolve(path, false);
    if (!found.node || !found.node->is_directory()) return;
    Fd fd = reopen(*found.node, O_RDONLY | O_DIRECTORY);
    if (::fchown(fd.get(), status.st_uid, status.st_gid) < 0 || ::fchmod(fd.get(), status.st_mode & 07777) < 0)
      throw_errno("set the owner of \"/" + path + "\"");
  }
}

}  // namespace gantry::build
