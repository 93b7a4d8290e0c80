#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "space_guard.h"
#include "tree_sink.h"

namespace gantry::image {

/// Writes a tree as one EROFS file system, uncompressed (the kernel's Documentation/filesystems/erofs.rst and
/// fs/erofs/erofs_fs.h; nothing newer than what Linux 5.19 mounts). Contents and inodes are written as they come, so
/// that memory holds names and directories only; these follow at the end. Making a file costs no system call of its
/// own, and the whole tree one flush.
class ErofsWriter : public TreeSink {
 public:
  static constexpr std::uint32_t kBlock = 4096;  ///< bytes; its length is a multiple of them

  /// Borrows `file`, which is empty and open for writing. It is a file system after `finish`; not flushed.
  explicit ErofsWriter(int file);

  void directory(const EntryName& name, const Attributes& attributes) override;
  void file(const EntryName& name, const Attributes& attributes, std::uint64_t size,
            const std::function<void(const Content&)>& fill) override;
  void small_file(const EntryName& name, const Attributes& attributes, std::string content) override;
  void symlink(const EntryName& name, const Attributes& attributes, const std::string& target) override;
  void hard_link(const EntryName& name, const EntryName& target) override;
  void node(const EntryName& name, const Attributes& attributes, mode_t type, dev_t device) override;
  void whiteout(const EntryName& name) override;
  void opaque(const EntryName& name) override;
  void finish() override;
  std::uint64_t on_disk() const override { return on_disk_; }

 private:
  using NodeId = std::uint32_t;
  static constexpr NodeId kRoot = 0;
  struct Directory {
    std::map<std::string, NodeId, std::less<>> entries;  ///< in the order of their bytes, which is the format's
    Attributes attributes;
    bool opaque = false;
  };
  struct Node {
    mode_t type = 0;
    bool is_whiteout = false;
    std::uint32_t links = 1;
    std::uint64_t at = 0;  ///< of its inode, in bytes; directories have theirs in the end
    std::size_t directory = 0;
  };
  struct Inode {
    mode_t mode = 0;
    std::uint64_t size = 0;
    std::uint32_t place = 0;  ///< first block, or the device
    std::uint32_t links = 1;
    bool has_tail = false;  ///< what is left of the content after its last whole block follows the inode
    std::string xattrs;     ///< as they are written
  };
  /// The entries of one block of a directory.
  struct Block {
    std::vector<std::pair<std::string_view, NodeId>> entries;
    std::size_t size = 0;
  };
  struct Placed {
    NodeId node = kRoot;
    std::vector<Block> blocks;
    Inode inode;
  };

  Directory& directory_of(NodeId node) { return directories_[nodes_[node].directory]; }
  NodeId add(mode_t type);
  NodeId add_directory(NodeId parent, const std::string& name);
  enum class Missing { make, give_up };
  std::optional<NodeId> way(const EntryName& name, std::size_t count, const EntryName& entry, Missing missing);
  NodeId parent(const EntryName& name);
  bool clear_way(NodeId parent, const EntryName& name);
  void require_name(const EntryName& name) const;
  NodeId enter(const EntryName& name, mode_t type);

  std::uint64_t take_blocks(std::uint64_t bytes, const EntryName& name);
  void put(std::uint64_t at, std::string_view bytes);
  void flush();
  void write(std::uint64_t at, std::string_view bytes);
  static bool takes_tail(const Inode& inode);
  std::string encoded(const Inode& inode, const Attributes& attributes);
  std::string encoded(const Block& block) const;
  std::uint64_t put_inode(const Inode& inode, const Attributes& attributes, std::string_view tail,
                          const EntryName& name);
  void put_content(NodeId node, const Attributes& attributes, std::string_view content, const EntryName& name);
  void flush_inodes();
  void correct_links();
  Placed placed(NodeId node, NodeId parent);
  void put_directories();
  void put_superblock();

  int file_;
  SpaceGuard space_;
  timespec began_{};
  std::deque<Node> nodes_;
  std::vector<Directory> directories_;
  std::string cached_path_;  ///< the parent of the last entry: archives come directory by directory
  NodeId cached_ = kRoot;

  std::uint64_t next_block_;
  std::string inodes_;  ///< the chunk of blocks that the next inodes go to, begun at `inodes_at_`
  std::uint64_t inodes_at_ = 0;
  std::uint64_t inodes_room_ = 0;
  std::string data_;  ///< blocks that follow each other from `data_at_` on, not written yet
  std::uint64_t data_at_ = 0;
  std::uint64_t written_ = 0, started_ = 0;  ///< bytes; the disk has been told to begin with so many of them
  std::uint32_t inode_count_ = 0;
  std::uint64_t on_disk_ = 0;
};

}  // namespace gantry::image
