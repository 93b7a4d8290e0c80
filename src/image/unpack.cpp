#include <sys/sysmacros.h>

#include <algorithm>
#include <array>

#include "archive_reader.h"
#include "entry_checks.h"
#include "gantry/image/archive.h"
#include "plain_names.h"
#include "tree_writer.h"
#include "unpack.h"
#include "whiteout.h"

namespace gantry::image {
namespace {

constexpr la_int64_t kSmallFile = 96 << 10;  // larger ones gain nothing from being made elsewhere

class Unpacker {
 public:
  Unpacker(TarReader& reader, TreeSink& writer, const UnpackOptions& options, RecipeWriter* recipe)
      : reader_(reader), options_(options), recipe_(recipe), writer_(writer) {}

  std::uint64_t run() {
    std::uint64_t count = 0;
    for (; (entry_ = reader_.next()) != nullptr; ++count) {
      name_ = EntryName::parse(text(archive_entry_pathname(entry_)));
      if (!(options_.whiteouts && !name_.is_root() && take_whiteout())) take();
    }
    writer_.finish();
    return count;
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const { name_.refuse(why); }
  static std::string text(const char* value) { return value != nullptr ? value : ""; }

  bool take_whiteout() {
    std::string_view base = name_.base();
    if (!base.starts_with(kWhiteout)) return false;
    EntryName target = name_;
    if (base == kOpaqueMark) {
      target.components.pop_back();
      writer_.opaque(target);
      return true;
    }
    if (base.starts_with(kMeta)) return true;  // aufs' own bookkeeping, which old images still carry
    target.components.back() = base.substr(kWhiteout.size());
    if (recipe_ != nullptr) recipe_->replaces(target);
    if (target.base().empty() || target.base() == "." || target.base() == "..") refuse("deletes no valid name");
    writer_.whiteout(target);
    return true;
  }

  void take() {
    note_for_recipe();
    if (const char* target = archive_entry_hardlink(entry_)) {
      writer_.hard_link(name_, EntryName::parse(target));
      return;
    }
    switch (archive_entry_filetype(entry_)) {
      case AE_IFDIR:
        return writer_.directory(name_, attributes());
      case AE_IFREG:
        return take_file();
      case AE_IFLNK:
        return writer_.symlink(name_, attributes(), text(archive_entry_symlink(entry_)));
      case AE_IFIFO:
        return writer_.node(name_, attributes(), S_IFIFO, 0);
      case AE_IFCHR:
        return take_device(S_IFCHR);
      case AE_IFBLK:
        return take_device(S_IFBLK);
      default:
        refuse("is of a kind that no file has");
    }
  }

  // The content of a sparse file is not in the archive as it is in the file, and stays with the recipe's own bytes.
  void note_for_recipe() {
    if (recipe_ == nullptr) return;
    bool has_content = archive_entry_hardlink(entry_) == nullptr && archive_entry_filetype(entry_) == AE_IFREG &&
                       archive_entry_size(entry_) > 0 && archive_entry_sparse_count(entry_) == 0;
    if (has_content) {
      recipe_->content(reader_.position(), static_cast<std::uint64_t>(archive_entry_size(entry_)), name_);
    } else {
      recipe_->replaces(name_);
    }
  }

  void take_file() {
    auto size = archive_entry_size(entry_);
    if (size < 0) refuse("has a negative length");
    if (size <= kSmallFile && archive_entry_sparse_count(entry_) == 0) {
      std::string content;
      content.reserve(static_cast<std::size_t>(size));
      reader_.content([&](std::string_view piece, std::uint64_t) { content += piece; });
      writer_.small_file(name_, attributes(), std::move(content));
      return;
    }
    writer_.file(name_, attributes(), static_cast<std::uint64_t>(size),
                 [&](const TreeSink::Content& take) { reader_.content(take); });
  }

  void take_device(mode_t type) {
    if (!options_.attributes) refuse("is a device");
    writer_.node(name_, attributes(), type,
                 makedev(static_cast<unsigned>(archive_entry_rdevmajor(entry_)),
                         static_cast<unsigned>(archive_entry_rdevminor(entry_))));
  }

  Attributes attributes() const {
    Attributes out;
    out.mode = archive_entry_perm(entry_) & 07777;
    out.mtime = checked_time(entry_, [this](const std::string& why) { refuse(why); });
    if (!options_.attributes) return out;
    out.uid = id(archive_entry_uid(entry_));
    out.gid = id(archive_entry_gid(entry_));
    take_xattrs(out);
    return out;
  }

  std::uint32_t id(la_int64_t value) const {
    return checked_id(value, [this](const std::string& why) { refuse(why); });
  }

  void take_xattrs(Attributes& out) const {
    constexpr std::array<std::string_view, 3> kTaken{"security.capability", "system.posix_acl_access",
                                                     "system.posix_acl_default"};
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    archive_entry_xattr_reset(entry_);
    while (archive_entry_xattr_next(entry_, &name, &value, &size) == ARCHIVE_OK) {
      std::string_view key = name;
      bool taken = key.starts_with("user.") || std::find(kTaken.begin(), kTaken.end(), key) != kTaken.end();
      if (taken)
        out.xattrs.emplace(key, std::string(static_cast<const char*>(value), size));
      else if (!key.starts_with("security."))
        refuse("carries the extended attribute " + std::string(key) + ", which images cannot have");
    }
  }

  TarReader& reader_;
  const UnpackOptions& options_;
  RecipeWriter* recipe_;
  TreeSink& writer_;
  ::archive_entry* entry_ = nullptr;
  EntryName name_;
};

}  // namespace

Unpacked unpack_archive(int fd, int directory, const UnpackOptions& options,
                        const std::function<void(std::uint64_t)>& progress) {
  PlainStream stream(fd, progress);
  TreeWriter writer(directory);
  Unpacked out;
  out.entries = unpack_tar(stream, writer, options, nullptr);
  out.bytes = stream.size();
  out.digest = stream.digest();
  return out;
}

std::uint64_t unpack_tar(TarSource& source, TreeSink& sink, const UnpackOptions& options, RecipeWriter* recipe) {
  PlainNames names;
  TarReader reader(source);
  return Unpacker(reader, sink, options, recipe).run();
}

}  // namespace gantry::image
