#include <fcntl.h>
#include <locale.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "archive_reader.h"
#include "gantry/base/error.h"
#include "gantry/image/archive.h"
#include "tree_writer.h"

namespace gantry::image {
namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kMeta = ".wh..wh.";
constexpr std::string_view kOpaqueMark = ".wh..wh..opq";
constexpr std::uint64_t kLargestReserve = 64u << 20;
constexpr std::int64_t kFarthestTime = 1LL << 40;  // some 35,000 years
constexpr std::uint64_t kCheckEvery = 16u << 20;

// Names in archives are bytes. With a UTF-8 locale libarchive would bring the names of PAX archives into Unicode's
// composed form, which makes them other names; with the "C" locale it hands them over as they are. Only this thread.
class PlainNames {
 public:
  PlainNames() : locale_(::newlocale(LC_ALL_MASK, "C", nullptr)), previous_(::uselocale(locale_)) {}
  PlainNames(const PlainNames&) = delete;
  PlainNames& operator=(const PlainNames&) = delete;
  ~PlainNames() {
    ::uselocale(previous_);
    ::freelocale(locale_);
  }

 private:
  locale_t locale_;
  locale_t previous_;
};

// A full disk would stop the store too, and with it the whole daemon, so a little is always left.
class SpaceGuard {
 public:
  explicit SpaceGuard(int directory) : directory_(directory) { check(); }
  void wrote(std::uint64_t bytes) {
    since_ += bytes;
    if (since_ < kCheckEvery) return;
    since_ = 0;
    check();
  }

 private:
  void check() const {
    struct statvfs info {};
    if (::fstatvfs(directory_, &info) < 0) throw_errno("inspect the file system");
    auto size = static_cast<std::uint64_t>(info.f_blocks) * info.f_frsize;
    auto free = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
    if (free < std::min(kLargestReserve, size / 100)) throw system_error(ENOSPC, "unpack archive");
  }

  int directory_;
  std::uint64_t since_ = 0;
};

class Unpacker {
 public:
  Unpacker(TarReader& reader, int directory, const UnpackOptions& options)
      : reader_(reader), options_(options), writer_(directory), space_(directory) {}

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
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ErrorKind::invalid, "archive entry \"" + name_.path() + "\": " + why);
  }
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
    if (target.base().empty() || target.base() == "." || target.base() == "..") refuse("deletes no valid name");
    writer_.whiteout(target);
    return true;
  }

  void take() {
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

  void take_file() {
    auto size = archive_entry_size(entry_);
    if (size < 0) refuse("has a negative length");
    writer_.file(name_, attributes(), static_cast<std::uint64_t>(size), [&](int fd) {
      reader_.content([&](std::string_view piece, std::uint64_t offset) { write_at(fd, piece, offset); });
    });
  }

  void write_at(int fd, std::string_view piece, std::uint64_t offset) {
    space_.wrote(piece.size());
    while (!piece.empty()) {
      ssize_t n = ::pwrite(fd, piece.data(), piece.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw_errno("archive entry \"" + name_.path() + "\": write");
      piece.remove_prefix(static_cast<std::size_t>(n));
      offset += static_cast<std::uint64_t>(n);
    }
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
    out.mtime = {archive_entry_mtime(entry_), archive_entry_mtime_nsec(entry_)};
    if (out.mtime.tv_sec < -kFarthestTime || out.mtime.tv_sec > kFarthestTime)
      refuse("its time is farther away than any date");
    if (!options_.attributes) return out;
    out.uid = id(archive_entry_uid(entry_));
    out.gid = id(archive_entry_gid(entry_));
    take_xattrs(out);
    return out;
  }

  std::uint32_t id(la_int64_t value) const {
    // The largest number means "do not change" to chown.
    if (value < 0 || value >= UINT32_MAX) refuse("its owner " + std::to_string(value) + " is not a user id");
    return static_cast<std::uint32_t>(value);
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
  TreeWriter writer_;
  SpaceGuard space_;
  ::archive_entry* entry_ = nullptr;
  EntryName name_;
};

}  // namespace

Unpacked unpack_archive(int fd, int directory, const UnpackOptions& options,
                        const std::function<void(std::uint64_t)>& progress) {
  PlainNames names;
  PlainStream stream(fd, progress);
  TarReader reader(stream);
  Unpacked out;
  out.entries = Unpacker(reader, directory, options).run();
  out.bytes = stream.size();
  out.digest = stream.digest();
  return out;
}

}  // namespace gantry::image
