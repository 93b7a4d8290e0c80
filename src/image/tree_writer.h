#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "entry_name.h"
#include "gantry/base/fd.h"
#include "writer_crew.h"

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
///
/// With a crew, small files are made by its threads while the caller reads on. What depends on an earlier entry (a name
/// that was there before, a parent that is missing) waits for them first; hard links are made at the end, in order.
class TreeWriter {
 public:
  /// Borrows `root`. What it holds already is treated as earlier entries are.
  explicit TreeWriter(int root, WriterCrew* crew = nullptr);

  void directory(const EntryName& name, const Attributes& attributes);
  /// `fill` writes the content into the descriptor; the file gets the length `size` afterwards.
  void file(const EntryName& name, const Attributes& attributes, std::uint64_t size,
            const std::function<void(int)>& fill);
  /// The same with all of its content at once.
  void small_file(const EntryName& name, const Attributes& attributes, std::string content);
  void symlink(const EntryName& name, const Attributes& attributes, const std::string& target);
  void hard_link(const EntryName& name, const EntryName& target);
  /// A device or fifo: `type` is S_IFCHR, S_IFBLK or S_IFIFO.
  void node(const EntryName& name, const Attributes& attributes, mode_t type, dev_t device);
  /// overlayfs' mark that the name below is deleted.
  void whiteout(const EntryName& name);
  /// overlayfs' mark that nothing below the directory `name` shows through.
  void opaque(const EntryName& name);
  /// Ends what is under way and gives directories their attributes, which creating their content would change, or
  /// which would change their content (default access lists, the set-group-id bit). Call last, once.
  void finish();
  /// Bytes that the files occupy, after `finish`.
  std::uint64_t on_disk() const { return on_disk_; }

 private:
  using Directory = std::shared_ptr<const Fd>;
  struct SmallFile {
    Directory parent;
    EntryName name;
    Attributes attributes;
    std::string content;
  };
  struct Link {
    EntryName name, target;
  };

  Directory parent(const EntryName& name);
  Fd open_directory(const std::string& path, const std::string& shown);
  Fd make_parents(const EntryName& name, std::size_t count);
  bool is_new(const EntryName& name);
  bool make_way(int parent, const EntryName& name);
  bool clear_way(int parent, const EntryName& name);
  void settle();
  void post_batch();
  void link_now(const Link& link);
  void make(const SmallFile& file);
  void finish_file(int fd, const EntryName& name, const Attributes& attributes, bool mode_is_set);
  void apply(int parent, const EntryName& name, const Attributes& attributes, bool is_link);
  void count(int fd, const EntryName& name);

  int root_;
  std::uint32_t own_uid_, own_gid_;
  mode_t umask_;
  bool foreign_group_ = false;  ///< files in `root_` do not get our group
  bool was_empty_ = false;
  std::string cached_path_;  ///< the parent of the last entry: archives come directory by directory
  Directory cached_;
  std::map<std::string, std::optional<Attributes>> directories_;  ///< unset: implied by what is in them
  std::unordered_set<std::size_t> names_;                         ///< hashes of names seen so far
  std::vector<Link> links_;
  std::shared_ptr<std::vector<SmallFile>> batch_;
  std::size_t batch_bytes_ = 0;
  std::atomic<std::uint64_t> on_disk_ = 0;
  std::optional<WriterCrew::Group> group_;  ///< last: its jobs use everything above
};

}  // namespace gantry::image
