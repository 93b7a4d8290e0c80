#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>

#include "archive_reader.h"
#include "entry_name.h"
#include "tar_recipe.h"

namespace gantry::image {

/// What the entries of a layer's tar say about the tree they were unpacked to, as Unpacker and TreeWriter understand
/// them, compared with the tree there is.
class TreeExpectation {
 public:
  TreeExpectation(int directory, const FaultSink& fault) : directory_(directory), fault_(fault) {}

  /// The current entry of `reader`. The contents of sparse files are compared at once; those of others are the
  /// recipe's business.
  void take(TarReader& reader, ::archive_entry* entry);
  /// After the last entry: walks the tree. Returns how many files were looked at.
  std::uint64_t compare();

 private:
  enum class Kind { directory, file, symlink, node, whiteout, hard_link };
  struct Wanted {
    Kind kind = Kind::file;
    bool implied = false;   ///< a directory that only paths mention
    bool opaque = false;    ///< a directory that hides what is below it
    bool replaced = false;  ///< several entries have had this name: what was linked to it may be another file
    bool seen = false;
    mode_t mode = 0;
    std::uint32_t uid = 0, gid = 0;
    std::int64_t mtime = 0;
    std::uint64_t size = 0;
    dev_t device = 0;
    std::string link;  ///< of a symbolic link, or the name of the file it is a hard link to
    std::map<std::string, std::string> xattrs = {};
  };

  bool take_whiteout(const EntryName& name);
  Wanted& want(const EntryName& name, Kind kind);
  void want_parents(const EntryName& name);
  void take_attributes(Wanted& wanted, ::archive_entry* entry);
  void compare_sparse(TarReader& reader, const std::string& path, std::uint64_t size);
  void compare_one(const std::string& path, Wanted& wanted, const struct stat& info, int parent,
                   const std::string& name);
  void compare_attributes(const std::string& path, const Wanted& wanted, const struct stat& info,
                          const std::string& through);
  void compare_xattrs(const std::string& path, const Wanted& wanted, const std::string& through);
  void compare_link(const std::string& path, const Wanted& wanted, const struct stat& info);

  int directory_;
  const FaultSink& fault_;
  std::unordered_map<std::string, Wanted> wanted_;
};

}  // namespace gantry::image
