#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "entry_name.h"
#include "gantry/base/fd.h"

namespace gantry::image {

/// What a file is besides its name and content.
struct Attributes {
  std::uint32_t mode = 0;  ///< the lower twelve bits
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  timespec mtime{};
  std::map<std::string, std::string> xattrs;
};

/// Creates files below one directory, each name resolved from that directory's descriptor without following links.
/// An existing file is replaced; a directory is never replaced by something else. Errors name the entry.
class TreeWriter {
 public:
  /// Borrows `root`.
  explicit TreeWriter(int root) : root_(root) {}

  void directory(const EntryName& name, const Attributes& attributes);
  /// `fill` writes the content into the descriptor; the file gets the length `size` afterwards.
  void file(const EntryName& name, const Attributes& attributes, std::uint64_t size,
            const std::function<void(int)>& fill);
  void symlink(const EntryName& name, const Attributes& attributes, const std::string& target);
  void hard_link(const EntryName& name, const EntryName& target);
  /// A device or fifo: `type` is S_IFCHR, S_IFBLK or S_IFIFO.
  void node(const EntryName& name, const Attributes& attributes, mode_t type, dev_t device);
  /// overlayfs' mark that the name below is deleted.
  void whiteout(const EntryName& name);
  /// overlayfs' mark that nothing below the directory `name` shows through.
  void opaque(const EntryName& name);
  /// Gives directories the times that creating their content has changed. Call last, once.
  void finish();

 private:
  int parent(const EntryName& name);
  Fd open_directory(const std::string& path, const std::string& shown);
  Fd make_parents(const EntryName& name, std::size_t count);
  bool clear_way(int parent, const EntryName& name);
  void apply(int parent, const EntryName& name, const Attributes& attributes, bool is_link);

  int root_;
  std::string cached_path_;  ///< the parent of the last entry: archives come directory by directory
  Fd cached_;
  std::vector<std::pair<EntryName, timespec>> directory_times_;
};

}  // namespace gantry::image
