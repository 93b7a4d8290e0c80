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
#include "space_guard.h"
#include "tree_sink.h"
#include "writer_crew.h"

namespace gantry::image {

/// Creates files below one directory, each name resolved from that directory's descriptor without following links.
///
/// With a crew, small files are made by its threads while the caller reads on. What depends on an earlier entry (a name
/// that was there before, a parent that is missing) waits for them first; hard links are made at the end, in order.
class TreeWriter : public TreeSink {
 public:
  /// Borrows `root`. What it holds already is treated as earlier entries are.
  explicit TreeWriter(int root, WriterCrew* crew = nullptr);

  void directory(const EntryName& name, const Attributes& attributes) override;
  void file(const EntryName& name, const Attributes& attributes, std::uint64_t size,
            const std::function<void(const Content&)>& fill) override;
  void small_file(const EntryName& name, const Attributes& attributes, std::string content) override;
  void symlink(const EntryName& name, const Attributes& attributes, const std::string& target) override;
  void hard_link(const EntryName& name, const EntryName& target) override;
  void node(const EntryName& name, const Attributes& attributes, mode_t type, dev_t device) override;
  void whiteout(const EntryName& name) override;
  void opaque(const EntryName& name) override;
  /// Ends what is under way and gives directories their attributes, which creating their content would change, or
  /// which would change their content (default access lists, the set-group-id bit).
  void finish() override;
  std::uint64_t on_disk() const override { return on_disk_; }

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
  SpaceGuard space_;
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
