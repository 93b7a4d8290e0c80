#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "entry_name.h"

namespace gantry::image {

/// What a file is besides its name and content.
struct Attributes {
  std::uint32_t mode = 0;  ///< the lower twelve bits
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  timespec mtime{};
  std::map<std::string, std::string> xattrs;
};

/// Where the entries of an archive go, in their order. An existing file is replaced; a directory is never replaced by
/// something else. No symbolic link is followed. Errors name the entry; exhausted when the disk is nearly full.
class TreeSink {
 public:
  /// Takes a piece of a file's content.
  using Content = std::function<void(std::string_view piece, std::uint64_t offset)>;

  TreeSink() = default;
  TreeSink(const TreeSink&) = delete;
  TreeSink& operator=(const TreeSink&) = delete;
  virtual ~TreeSink() = default;

  virtual void directory(const EntryName& name, const Attributes& attributes) = 0;
  /// `fill` gives the content, piece by piece; what it leaves out is zeros.
  virtual void file(const EntryName& name, const Attributes& attributes, std::uint64_t size,
                    const std::function<void(const Content&)>& fill) = 0;
  /// The same with all of its content at once.
  virtual void small_file(const EntryName& name, const Attributes& attributes, std::string content) = 0;
  virtual void symlink(const EntryName& name, const Attributes& attributes, const std::string& target) = 0;
  virtual void hard_link(const EntryName& name, const EntryName& target) = 0;
  /// A device or fifo: `type` is S_IFCHR, S_IFBLK or S_IFIFO.
  virtual void node(const EntryName& name, const Attributes& attributes, mode_t type, dev_t device) = 0;
  /// overlayfs' mark that the name below is deleted.
  virtual void whiteout(const EntryName& name) = 0;
  /// overlayfs' mark that nothing below the directory `name` shows through.
  virtual void opaque(const EntryName& name) = 0;
  /// Call last, once.
  virtual void finish() = 0;
  /// Bytes that everything occupies, after `finish`.
  virtual std::uint64_t on_disk() const = 0;

 protected:
  /// What every sink refuses, in the same words.
  static void require_file(const EntryName& name);
  static void require_link(const EntryName& name, const EntryName& target);
  static void require_node(const EntryName& name, mode_t type, dev_t device);
  [[noreturn]] static void refuse_twice(const EntryName& name);
  [[noreturn]] static void refuse_missing(const EntryName& name, const EntryName& target);
  [[noreturn]] static void refuse_directory(const EntryName& name, const EntryName& target);
};

}  // namespace gantry::image
