#pragma once

#include <sys/stat.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dockerfile/file_mode.h"
#include "gantry/base/fd.h"
#include "gantry/oci/passwd.h"
#include "layer/tree_view.h"

namespace gantry::build {

/// How what is copied will look; what is not set stays as it is in the source.
struct Look {
  std::optional<oci::Owner> owner;
  std::optional<FileMode> mode;      ///< of files and directories
  oci::Owner parent_owner;           ///< of directories made on the way to the destination
  std::optional<std::int64_t> time;  ///< seconds, of directories made
};

/// Writes files into an upper directory, so that it becomes a layer over `view` (whose uppermost directory it is).
/// Directories that exist below are brought up with their attributes first. Paths are free of links: see
/// TreeView::resolve. Error exhausted when the disk is full.
class UpperWriter {
 public:
  UpperWriter(const std::filesystem::path& upper, const TreeView& view, Look look);

  /// A directory that must be there afterwards; what is missing is made with `look.parent_owner` and 0755.
  void make_directory(const std::vector<std::string>& path);
  /// Copies a node with everything below it to `path`; directories are merged. Error conflict when a file and a
  /// directory meet.
  void copy(const TreeView& source, const Node& node, const std::string& source_path,
            const std::vector<std::string>& path);
  /// The content of a directory into the directory `path`.
  void copy_children(const TreeView& source, const Node& directory, const std::string& source_path,
                     const std::vector<std::string>& path);
  void write_file(const std::vector<std::string>& path, const std::string& content);

 private:
  /// An upper directory, seen alone and as part of the whole.
  struct Place {
    std::vector<std::string> path;
    Fd fd;
    Node node;
  };
  /// Valid until the next call.
  const Place& open_directory(const std::vector<std::string>& path);
  void require_no_directory(const Place& parent, const std::vector<std::string>& path) const;
  Fd enter(const Fd& parent, const Node* below, std::vector<std::string>& at, const std::string& name);
  void copy_directory(const TreeView& source, const Node& node, const std::string& source_path,
                      const std::vector<std::string>& path);
  void copy_leaf(const Node& node, const std::string& source_path, const std::vector<std::string>& path);
  void create_leaf(const Node& node, const std::string& source_path, const Fd& parent, const std::string& name);
  void copy_file(const Node& node, const Fd& parent, const std::string& name);
  bool link_to_earlier(const Node& node, const Fd& parent, const std::string& name);
  void clear_way(const Fd& parent, const std::vector<std::string>& path);
  unsigned mode_of(mode_t mode) const;
  void dress(const Fd& parent, const std::string& name, const Node& node);

  Fd root_;
  std::optional<Place> last_;  ///< files come directory by directory
  const TreeView& view_;
  Look look_;
  std::map<std::pair<dev_t, ino_t>, std::vector<std::string>> linked_;  ///< sources with several names
};

/// Mode, owner, times and extended attributes of a directory, for one that stands in its place in an upper directory.
void copy_directory_attributes(const Node& from, int to, const std::string& shown);
/// A new directory that a layer can grow in: it looks like the root of `view`.
void make_upper(const std::filesystem::path& path, const TreeView* view);

}  // namespace gantry::build
