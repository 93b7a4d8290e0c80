#include "erofs_writer.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <limits>

#include "allocated.h"
#include "gantry/base/error.h"
#include "overlay.h"
#include "write_at.h"

namespace gantry::image {
namespace {

constexpr std::uint64_t kBlock = ErofsWriter::kBlock;
constexpr int kBlockBits = 12;
constexpr std::size_t kSlot = 32;     // an inode's number is where it is, in these
constexpr std::size_t kInode = 64;    // the extended form
constexpr std::size_t kLinksAt = 44;  // in an inode
constexpr std::size_t kSuperAt = 1024;
constexpr std::size_t kSuper = 128;
constexpr std::size_t kUuidAt = 48, kUuid = 16;
constexpr std::uint64_t kRootAt = kSuperAt + kSuper;
constexpr std::uint64_t kRootBlocks = 16;  // the root's inode has its number in 16 bits, so it stands in front
constexpr std::size_t kDirent = 12;
constexpr std::size_t kXattrHeader = 12;
constexpr std::uint32_t kErofsMagic = 0xE0F5E1E2;
constexpr std::uint16_t kExtended = 1;
constexpr std::uint16_t kFlatInline = 2 << 1;  // data layout: whole blocks, and the rest behind the inode

constexpr std::size_t kMostTail = 2048;     // a longer rest gets a block of its own
constexpr std::size_t kChunk = 128u << 10;  // inodes stand together, so that looking at them reads few blocks
constexpr std::size_t kMostData = 1u << 20;
constexpr std::uint64_t kStartEvery = 8u << 20;
constexpr std::size_t kLongestPath = 4095;  // as for any system call
constexpr unsigned kMostMajor = 0xfff, kMostMinor = 0xfffff;
// An archive is small for what it makes others remember, so there is an end to that: about a gigabyte.
constexpr std::size_t kMostFiles = 4u << 20;

[[noreturn]] void refuse_way(const EntryName& name, const std::string& path, mode_t type) {
  name.refuse("\"" + path + "\" on the way to it is " + (type == S_IFLNK ? "a symbolic link" : "not a directory"));
}

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t to) { return (value + to - 1) / to * to; }

// Little-endian, as everything in the format.
template <class T>
void store(std::string& out, std::size_t at, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    out[at + i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xff);
}

std::uint32_t encoded_device(dev_t device) {
  std::uint32_t high = major(device), low = minor(device);
  return (low & 0xff) | high << 8 | (low & ~0xffu) << 12;
}

// Where the next `size` bytes behind `end` go: into one block when they fit into one.
std::uint64_t next_place(std::uint64_t end, std::uint64_t size) {
  auto at = round_up(end, kSlot);
  return at % kBlock + size <= kBlock ? at : round_up(at, kBlock);
}

struct Prefix {
  std::string_view text;
  std::uint8_t index;
};
constexpr Prefix kPrefixes[] = {
    {"user.", 1}, {"system.posix_acl_access", 2}, {"system.posix_acl_default", 3}, {"trusted.", 4}, {"security.", 6}};

std::uint32_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint32_t out = 0;
  while (size-- > 0) out = out << 8 | static_cast<unsigned char>(bytes[at + size]);
  return out;
}

// linux/posix_acl_xattr.h: a version, then entries of tag, permissions and id, in the order of their tags.
bool is_acl(std::string_view value) {
  enum : std::uint32_t { user_obj = 1, user = 2, group_obj = 4, group = 8, mask = 16, other = 32 };
  if (value.size() < 4 || value.size() % 8 != 4 || number_at(value, 0, 4) != 2) return false;
  std::uint32_t last = 0, seen = 0;
  for (std::size_t at = 4; at < value.size(); at += 8) {
    auto tag = number_at(value, at, 2);
    bool many = tag == user || tag == group;
    bool known = many || tag == user_obj || tag == group_obj || tag == mask || tag == other;
    if (!known || number_at(value, at + 2, 2) > 7 || tag < last || (tag == last && !many)) return false;
    last = tag;
    seen |= tag;
  }
  constexpr std::uint32_t kNeeded = user_obj | group_obj | other;
  bool named = (seen & (user | group)) != 0;
  return (seen & kNeeded) == kNeeded && (!named || (seen & mask) != 0);
}

// linux/capability.h, VFS_CAP_REVISION_2 and _3.
bool is_capability(std::string_view value) {
  if (value.size() < 4) return false;
  auto revision = number_at(value, 0, 4) >> 24;
  return (revision == 2 && value.size() == 20) || (revision == 3 && value.size() == 24);
}

// What a file system that is written to by system calls would take.
bool is_sound(mode_t type, std::string_view key, std::string_view rest, std::string_view value) {
  if (key == "system.posix_acl_access") return type != S_IFLNK && is_acl(value);
  if (key == "system.posix_acl_default") return type == S_IFDIR && is_acl(value);
  if (rest.empty()) return false;
  if (key.starts_with("user.")) return type == S_IFREG || type == S_IFDIR;
  return key != "security.capability" || is_capability(value);
}

std::string encoded_xattrs(const Attributes& attributes, mode_t type, const EntryName& name) {
  constexpr std::size_t kEmptyAcl = 4;  // it takes an access list away
  std::string out(kXattrHeader, '\0');
  for (const auto& [key, value] : attributes.xattrs) {
    const auto* prefix = std::find_if(std::begin(kPrefixes), std::end(kPrefixes),
                                      [&key = key](const Prefix& one) { return key.starts_with(one.text); });
    if (key.starts_with("system.posix_acl_") && value.size() == kEmptyAcl && type != S_IFLNK) continue;
    bool fits = prefix != std::end(kPrefixes) && key.size() - prefix->text.size() <= 255 && value.size() <= 65535;
    auto rest = fits ? std::string_view(key).substr(prefix->text.size()) : std::string_view();
    if (!fits || !is_sound(type, key, rest, value)) name.refuse("set extended attribute " + key + ": it is not valid");
    auto at = out.size();
    out.resize(at + 4);
    store<std::uint8_t>(out, at, static_cast<std::uint8_t>(rest.size()));
    store<std::uint8_t>(out, at + 1, prefix->index);
    store<std::uint16_t>(out, at + 2, static_cast<std::uint16_t>(value.size()));
    out += rest;
    out += value;
    out.resize(round_up(out.size(), 4));
  }
  if ((out.size() - kXattrHeader) / 4 >= 65535) name.refuse("its extended attributes are too long");
  return out.size() == kXattrHeader ? std::string() : out;
}

std::uint8_t entry_type(mode_t type) {
  switch (type & S_IFMT) {
    case S_IFREG:
      return 1;
    case S_IFDIR:
      return 2;
    case S_IFCHR:
      return 3;
    case S_IFBLK:
      return 4;
    case S_IFIFO:
      return 5;
    default:
      return 7;  // a symbolic link
  }
}

}  // namespace

ErofsWriter::ErofsWriter(int file) : file_(file), space_(file), next_block_(kRootBlocks) {
  ::clock_gettime(CLOCK_REALTIME, &began_);
  add(S_IFDIR);
  directories_.emplace_back();
  directories_[0].attributes = {.mode = 0755, .mtime = began_};
}

ErofsWriter::NodeId ErofsWriter::add(mode_t type) {
  if (nodes_.size() >= kMostFiles)
    throw Error(ErrorKind::invalid, "the archive has more than " + std::to_string(kMostFiles) + " files");
  nodes_.push_back({.type = type});
  return static_cast<NodeId>(nodes_.size() - 1);
}

// Archives may leave directories out that their entries are in.
ErofsWriter::NodeId ErofsWriter::add_directory(NodeId parent, const std::string& name) {
  auto made = add(S_IFDIR);
  nodes_[made].directory = directories_.size();
  directories_.emplace_back();
  directories_.back().attributes = {.mode = 0755, .mtime = began_};
  directory_of(parent).entries[name] = made;
  return made;
}

// The first `count` components of `name`, which must be directories. Those that are missing are made, or it is nothing.
std::optional<ErofsWriter::NodeId> ErofsWriter::way(const EntryName& name, std::size_t count, const EntryName& entry,
                                                    Missing missing) {
  auto at = kRoot;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& entries = directory_of(at).entries;
    auto found = entries.find(name.components[i]);
    if (found == entries.end()) {
      if (missing == Missing::give_up) return std::nullopt;
      at = add_directory(at, name.components[i]);
      continue;
    }
    at = found->second;
    if (nodes_[at].type == S_IFDIR) continue;
    EntryName path{{name.components.begin(), name.components.begin() + static_cast<std::ptrdiff_t>(count)}};
    refuse_way(entry, path.path(), nodes_[at].type);
  }
  return at;
}

ErofsWriter::NodeId ErofsWriter::parent(const EntryName& name) {
  auto path = name.parent();
  if (cached_path_ == path) return cached_;
  cached_ = *way(name, name.components.size() - 1, name, Missing::make);
  cached_path_ = std::move(path);
  return cached_;
}

// Takes an earlier entry of this name away, if there was one. Returns whether it was a whiteout.
bool ErofsWriter::clear_way(NodeId parent, const EntryName& name) {
  auto& entries = directory_of(parent).entries;
  auto found = entries.find(name.base());
  if (found == entries.end()) return false;
  auto& old = nodes_[found->second];
  if (old.type == S_IFDIR) refuse_twice(name);
  --old.links;
  bool was_whiteout = old.is_whiteout;
  entries.erase(found);
  return was_whiteout;
}

void ErofsWriter::require_name(const EntryName& name) const {
  require_file(name);
  if (name.path().size() > kLongestPath) name.refuse("its name is too long");
}

// A new entry in place of an earlier one.
ErofsWriter::NodeId ErofsWriter::enter(const EntryName& name, mode_t type) {
  require_name(name);
  auto above = parent(name);
  clear_way(above, name);
  auto made = add(type);
  directory_of(above).entries[name.base()] = made;
  return made;
}

void ErofsWriter::directory(const EntryName& name, const Attributes& attributes) {
  static_cast<void>(encoded_xattrs(attributes, S_IFDIR, name));  // refused here, where the entry is
  if (name.is_root()) {
    directories_[0].attributes = attributes;
    return;
  }
  require_name(name);
  auto above = parent(name);
  auto& entries = directory_of(above).entries;
  auto found = entries.find(name.base());
  if (found != entries.end() && nodes_[found->second].type == S_IFDIR) {
    directory_of(found->second).attributes = attributes;
    return;
  }
  bool deleted_below = clear_way(above, name);
  auto made = add_directory(above, name.base());
  directory_of(made).attributes = attributes;
  directory_of(made).opaque = deleted_below;
}

void ErofsWriter::file(const EntryName& name, const Attributes& attributes, std::uint64_t size,
                       const std::function<void(const Content&)>& fill) {
  auto made = enter(name, S_IFREG);
  auto at = take_blocks(size, name);
  fill([&](std::string_view piece, std::uint64_t offset) {
    if (offset > size || piece.size() > size - offset) name.refuse("its content is longer than it says");
    write(at + offset, piece);
  });
  Inode inode{.mode = S_IFREG | attributes.mode,
              .size = size,
              .place = static_cast<std::uint32_t>(at / kBlock),
              .xattrs = encoded_xattrs(attributes, S_IFREG, name)};
  nodes_[made].at = put_inode(inode, attributes, {}, name);
}

void ErofsWriter::small_file(const EntryName& name, const Attributes& attributes, std::string content) {
  put_content(enter(name, S_IFREG), attributes, content, name);
}

void ErofsWriter::symlink(const EntryName& name, const Attributes& attributes, const std::string& target) {
  if (target.empty() || target.size() > kLongestPath) name.refuse("is a symbolic link to no valid name");
  auto made = enter(name, S_IFLNK);
  auto as_any_link = attributes;
  as_any_link.mode = 0777;
  put_content(made, as_any_link, target, name);
}

void ErofsWriter::hard_link(const EntryName& name, const EntryName& target) {
  require_link(name, target);
  require_name(name);
  auto there = way(target, target.components.size() - 1, name, Missing::give_up);
  auto above = parent(name);
  if (!there) refuse_missing(name, target);
  auto& entries = directory_of(*there).entries;
  auto found = entries.find(target.base());
  if (found == entries.end()) refuse_missing(name, target);
  auto node = found->second;
  if (nodes_[node].type == S_IFDIR) refuse_directory(name, target);
  ++nodes_[node].links;
  clear_way(above, name);
  directory_of(above).entries[name.base()] = node;
}

void ErofsWriter::node(const EntryName& name, const Attributes& attributes, mode_t type, dev_t device) {
  require_node(name, type, device);
  if (type != S_IFIFO && (major(device) > kMostMajor || minor(device) > kMostMinor))
    name.refuse("is a device with a number that no device has");
  auto made = enter(name, type);
  Inode inode{.mode = type | attributes.mode,
              .place = type == S_IFIFO ? 0 : encoded_device(device),
              .xattrs = encoded_xattrs(attributes, type, name)};
  nodes_[made].at = put_inode(inode, attributes, {}, name);
}

void ErofsWriter::whiteout(const EntryName& name) {
  auto made = enter(name, S_IFCHR);
  nodes_[made].is_whiteout = true;
  nodes_[made].at = put_inode({.mode = S_IFCHR, .place = encoded_device(makedev(0, 0))}, {.mtime = began_}, {}, name);
}

void ErofsWriter::opaque(const EntryName& name) {
  if (!name.is_root()) require_name(name);
  directory_of(*way(name, name.components.size(), name, Missing::make)).opaque = true;
}

// Where so many bytes go, in blocks of their own.
std::uint64_t ErofsWriter::take_blocks(std::uint64_t bytes, const EntryName& name) {
  constexpr std::uint64_t kMostBlocks = std::numeric_limits<std::uint32_t>::max();
  auto blocks = bytes / kBlock + (bytes % kBlock != 0 ? 1 : 0);
  if (blocks > kMostBlocks - next_block_) name.refuse("is larger than the file system's largest file");
  return std::exchange(next_block_, next_block_ + blocks) * kBlock;
}

// The disk begins with it soon, so that the flush in the end finds little left to do.
void ErofsWriter::write(std::uint64_t at, std::string_view bytes) {
  space_.wrote(bytes.size());
  if (!write_at(file_, bytes, at)) throw_errno("layer: write");
  written_ += bytes.size();
  if (written_ - started_ < kStartEvery) return;
  started_ = written_;
  ::sync_file_range(file_, 0, 0, SYNC_FILE_RANGE_WRITE);  // advice: the flush tells what went wrong
}

void ErofsWriter::flush() {
  if (data_.empty()) return;
  write(data_at_, data_);
  data_.clear();
}

// Content of blocks that were taken; what is left of the last one is zeros.
void ErofsWriter::put(std::uint64_t at, std::string_view bytes) {
  if (bytes.empty()) return;
  if (at != data_at_ + data_.size() || data_.size() >= kMostData) flush();
  if (data_.empty()) data_at_ = at;
  data_ += bytes;
  data_.resize(round_up(data_.size(), kBlock));
}

// Whether what is left after the last whole block goes behind the inode, which it must share one block with.
bool ErofsWriter::takes_tail(const Inode& inode) {
  auto rest = inode.size % kBlock;
  return rest != 0 && rest <= kMostTail && kInode + inode.xattrs.size() + rest <= kBlock;
}

void ErofsWriter::put_content(NodeId node, const Attributes& attributes, std::string_view content,
                              const EntryName& name) {
  Inode inode{.mode = nodes_[node].type | attributes.mode,
              .size = content.size(),
              .xattrs = encoded_xattrs(attributes, nodes_[node].type, name)};
  inode.has_tail = takes_tail(inode);
  auto tail = content.substr(inode.has_tail ? content.size() / kBlock * kBlock : content.size());
  auto blocks = content.substr(0, content.size() - tail.size());
  auto at = take_blocks(blocks.size(), name);
  put(at, blocks);
  inode.place = static_cast<std::uint32_t>(at / kBlock);
  nodes_[node].at = put_inode(inode, attributes, tail, name);
}

std::string ErofsWriter::encoded(const Inode& inode, const Attributes& attributes) {
  auto xattr_words = inode.xattrs.empty() ? 0 : (inode.xattrs.size() - kXattrHeader) / 4 + 1;
  std::string out(kInode, '\0');
  store<std::uint16_t>(out, 0, kExtended | (inode.has_tail ? kFlatInline : 0));
  store<std::uint16_t>(out, 2, static_cast<std::uint16_t>(xattr_words));
  store<std::uint16_t>(out, 4, static_cast<std::uint16_t>(inode.mode));
  store<std::uint64_t>(out, 8, inode.size);
  store<std::uint32_t>(out, 16, inode.place);
  store<std::uint32_t>(out, 20, ++inode_count_);
  store<std::uint32_t>(out, 24, attributes.uid);
  store<std::uint32_t>(out, 28, attributes.gid);
  store<std::uint64_t>(out, 32, static_cast<std::uint64_t>(attributes.mtime.tv_sec));
  store<std::uint32_t>(out, 40, static_cast<std::uint32_t>(attributes.mtime.tv_nsec));
  store<std::uint32_t>(out, kLinksAt, inode.links);
  return out + inode.xattrs;
}

std::uint64_t ErofsWriter::put_inode(const Inode& inode, const Attributes& attributes, std::string_view tail,
                                     const EntryName& name) {
  auto bytes = encoded(inode, attributes) + std::string(tail);
  auto offset = next_place(inodes_.size(), bytes.size());
  if (offset + bytes.size() > inodes_room_) {
    flush_inodes();
    inodes_room_ = round_up(std::max(bytes.size(), kChunk), kBlock);
    inodes_at_ = take_blocks(inodes_room_, name);
    offset = 0;
  }
  inodes_.resize(offset);
  inodes_ += bytes;
  return inodes_at_ + offset;
}

void ErofsWriter::flush_inodes() {
  if (!inodes_.empty()) write(inodes_at_, inodes_);
  inodes_.clear();
}

// Inodes are written with one link.
void ErofsWriter::correct_links() {
  for (const auto& node : nodes_) {
    if (node.type == S_IFDIR || node.links <= 1) continue;
    std::string links(4, '\0');
    store<std::uint32_t>(links, 0, node.links);
    write(node.at + kLinksAt, links);
  }
}

// The entries of a directory, as many to a block as fit.
ErofsWriter::Placed ErofsWriter::placed(NodeId node, NodeId parent) {
  Placed out{.node = node};
  std::vector<std::pair<std::string_view, NodeId>> entries;
  const auto& directory = directory_of(node);
  entries.reserve(directory.entries.size() + 2);
  entries.emplace_back(".", node);
  entries.emplace_back("..", parent);
  std::uint32_t below = 0;
  for (const auto& [name, id] : directory.entries) {
    entries.emplace_back(name, id);
    if (nodes_[id].type == S_IFDIR) ++below;
  }
  std::sort(entries.begin(), entries.end());
  for (const auto& entry : entries) {
    auto needs = kDirent + entry.first.size();
    if (out.blocks.empty() || out.blocks.back().size + needs > kBlock) out.blocks.emplace_back();
    out.blocks.back().entries.push_back(entry);
    out.blocks.back().size += needs;
  }
  auto attributes = directory.attributes;
  if (directory.opaque) attributes.xattrs[kOpaque] = "y";
  out.inode = {.mode = S_IFDIR | attributes.mode,
               .size = (out.blocks.size() - 1) * kBlock + out.blocks.back().size,
               .links = 2 + below,
               .xattrs = encoded_xattrs(attributes, S_IFDIR, EntryName{})};
  out.inode.has_tail = node != kRoot && takes_tail(out.inode);
  return out;
}

std::string ErofsWriter::encoded(const Block& block) const {
  std::string out(kDirent * block.entries.size(), '\0');
  std::size_t at = 0;
  for (const auto& [name, id] : block.entries) {
    store<std::uint64_t>(out, at, nodes_[id].at / kSlot);
    store<std::uint16_t>(out, at + 8, static_cast<std::uint16_t>(out.size()));
    store<std::uint8_t>(out, at + 10, entry_type(nodes_[id].type));
    out += name;
    at += kDirent;
  }
  return out;
}

// Directories name each other, so all of them get their places before the first is written.
void ErofsWriter::put_directories() {
  std::vector<Placed> all;
  all.push_back(placed(kRoot, kRoot));
  nodes_[kRoot].at = kRootAt;
  if (kRootAt + kInode + all[0].inode.xattrs.size() > kRootBlocks * kBlock)
    throw Error(ErrorKind::invalid, "the extended attributes of the archive's root are too long");
  std::uint64_t end = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto node = all[i].node;
    for (const auto& [name, id] : directory_of(node).entries) {
      if (nodes_[id].type != S_IFDIR) continue;
      auto one = placed(id, node);
      auto size = kInode + one.inode.xattrs.size() + (one.inode.has_tail ? one.blocks.back().size : 0);
      nodes_[id].at = next_place(end, size);
      end = nodes_[id].at + size;
      all.push_back(std::move(one));
    }
  }
  auto table_at = take_blocks(end, EntryName{});
  for (std::size_t i = 1; i < all.size(); ++i) nodes_[all[i].node].at += table_at;
  std::string table;
  for (auto& one : all) {
    auto whole = one.blocks.size() - (one.inode.has_tail ? 1 : 0);
    auto at = take_blocks(whole * kBlock, EntryName{});
    one.inode.place = static_cast<std::uint32_t>(at / kBlock);
    for (std::size_t i = 0; i < whole; ++i) put(at + i * kBlock, encoded(one.blocks[i]));
    auto bytes = encoded(one.inode, directory_of(one.node).attributes);
    if (one.inode.has_tail) bytes += encoded(one.blocks.back());
    if (one.node == kRoot) {
      write(kRootAt, bytes);
    } else {
      table.resize(nodes_[one.node].at - table_at);
      table += bytes;
    }
  }
  flush();
  write(table_at, table);
}

void ErofsWriter::put_superblock() {
  std::string out(kSuper, '\0');
  store<std::uint32_t>(out, 0, kErofsMagic);
  store<std::uint8_t>(out, 12, kBlockBits);
  store<std::uint16_t>(out, 14, kRootAt / kSlot);
  store<std::uint64_t>(out, 16, inode_count_);
  store<std::uint64_t>(out, 24, static_cast<std::uint64_t>(began_.tv_sec));
  store<std::uint32_t>(out, 36, static_cast<std::uint32_t>(next_block_));
  // Which file system it is: overlayfs keeps the numbers of files that it copied up from one that says so.
  if (::getrandom(&out[kUuidAt], kUuid, 0) != static_cast<ssize_t>(kUuid)) throw_errno("make a random number");
  write(kSuperAt, out);
}

void ErofsWriter::finish() {
  put_directories();
  flush_inodes();
  correct_links();
  put_superblock();
  if (::ftruncate(file_, static_cast<off_t>(next_block_ * kBlock)) < 0) throw_errno("layer: set length");
  struct stat info {};
  if (::fstat(file_, &info) < 0) throw_errno("layer: inspect");
  on_disk_ = allocated(info);
}

}  // namespace gantry::image
