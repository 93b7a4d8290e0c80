#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/base/fd.h"

/// A file system as its layers make it up, read without mounting: nothing can be left behind on the host, and a link in
/// an image can lead nowhere but into the image. overlayfs' rules: an upper name hides the lower one, 0:0 character
/// devices delete, trusted.overlay.opaque cuts off what is below
/// (https://www.kernel.org/doc/html/latest/filesystems/overlayfs.html).
namespace gantry::build {

/// Something that is there. Holds descriptors.
struct Node {
  struct ::stat status {};
  Fd fd;                  ///< O_PATH; of a directory: the uppermost one
  std::vector<Fd> below;  ///< of a directory: the lower ones that are merged into it
  bool upper = false;     ///< it is in the uppermost layer itself
  bool is_directory() const { return S_ISDIR(status.st_mode); }
  bool is_link() const { return S_ISLNK(status.st_mode); }
};

class TreeView {
 public:
  using Visible = std::function<bool(const std::string& path)>;
  /// Directories, lowest first; the last may still change. `visible` hides paths (of a build context). An unreadable
  /// layer is an Error.
  explicit TreeView(const std::vector<std::filesystem::path>& layers, Visible visible = {});

  /// The name in this directory, not following a link.
  std::optional<Node> child(const Node& directory, const std::string& name, const std::string& path) const;
  Node root() const;

  struct Resolved {
    std::vector<std::string> path;     ///< without links, as far as it exists
    std::optional<Node> node;          ///< set when everything exists
    std::vector<std::string> missing;  ///< what does not
  };
  /// Follows links on the way, and at the end when `follow_last`. ".." stops at the root. Error invalid: a file on the
  /// way, or too many links.
  Resolved resolve(std::string_view path, bool follow_last) const;

  /// Sorted names in a directory.
  std::vector<std::string> names(const Node& directory, const std::string& path) const;

  /// Whole content of a regular file; empty when it is not there or is none.
  std::string read(std::string_view path) const;

 private:
  std::vector<Fd> layers_;  ///< uppermost first
  Visible visible_;
};

/// All names in a directory, as it is on disk.
std::vector<std::string> names_in(int directory);
std::string path_text(const std::vector<std::string>& components);
std::string read_link(const Node& node);
/// The file behind an O_PATH descriptor, opened for reading.
Fd reopen(const Node& node, int flags);

}  // namespace gantry::build
