#include "context_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "gantry/base/error.h"
#include "gantry/base/fd.h"

namespace gantry::cli {
namespace {

constexpr std::size_t kPiece = 256u << 10;

struct FreeArchive {
  void operator()(archive* handle) const { archive_write_free(handle); }
};
struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

la_ssize_t append(archive*, void* pending, const void* data, std::size_t size) {
  static_cast<std::string*>(pending)->append(static_cast<const char*>(data), size);
  return static_cast<la_ssize_t>(size);
}

}  // namespace

struct ContextArchive::Impl {
  std::filesystem::path root;
  std::vector<ignore::ContextEntry> entries;
  std::size_t at = 0;
  std::string pending;  ///< written by libarchive, not yet given out
  std::unique_ptr<archive, FreeArchive> tar{archive_write_new()};
  Fd file;  ///< the regular file that is being written
  std::uint64_t left = 0;
  std::uint64_t given = 0;
  bool closed = false;

  void check(int result) {
    if (result < ARCHIVE_WARN)
      throw Error(ErrorKind::internal, std::string("packing the build context: ") + archive_error_string(tar.get()));
  }

  void write_header(const ignore::ContextEntry& entry) {
    std::unique_ptr<archive_entry, FreeEntry> header(archive_entry_new());
    auto path = root / entry.path;
    archive_entry_copy_stat(header.get(), &entry.status);
    archive_entry_set_pathname(header.get(), entry.path.c_str());
    archive_entry_set_uid(header.get(), 0);
    archive_entry_set_gid(header.get(), 0);
    archive_entry_set_nlink(header.get(), 1);
    if (S_ISLNK(entry.status.st_mode)) {
      archive_entry_copy_symlink(header.get(), std::filesystem::read_symlink(path).c_str());
      archive_entry_set_size(header.get(), 0);
    }
    if (S_ISREG(entry.status.st_mode)) file = open_file(path.string(), O_RDONLY | O_NOFOLLOW);
    left = S_ISREG(entry.status.st_mode) ? static_cast<std::uint64_t>(entry.status.st_size) : 0;
    check(archive_write_header(tar.get(), header.get()));
  }

  /// The size was promised in the header: a file that grew is cut there, one that shrank is an error.
  void write_data() {
    std::string buffer(std::min<std::uint64_t>(left, kPiece), '\0');
    auto count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) return;
    if (count < 0) throw_errno("reading " + (root / entries[at - 1].path).string());
    if (count == 0)
      throw Error(ErrorKind::conflict, (root / entries[at - 1].path).string() + " became shorter while it was sent");
    left -= static_cast<std::uint64_t>(count);
    if (archive_write_data(tar.get(), buffer.data(), static_cast<std::size_t>(count)) < 0) check(ARCHIVE_FATAL);
  }

  void advance() {
    if (left > 0) return write_data();
    file.reset();
    if (at < entries.size()) {
      const auto& entry = entries[at++];
      if (!S_ISSOCK(entry.status.st_mode)) write_header(entry);
      return;
    }
    check(archive_write_close(tar.get()));
    closed = true;
  }
};

ContextArchive::ContextArchive(std::filesystem::path root, ignore::IgnoreFile rules) : impl_(std::make_unique<Impl>()) {
  impl_->root = std::move(root);
  ignore::walk_context(impl_->root, rules, [&](const ignore::ContextEntry& entry) { impl_->entries.push_back(entry); });
  auto* tar = impl_->tar.get();
  archive_write_set_format_pax_restricted(tar);
  archive_write_set_bytes_per_block(tar, 0);
  impl_->check(archive_write_open(tar, &impl_->pending, nullptr, append, nullptr));
}

ContextArchive::~ContextArchive() = default;

std::uint64_t ContextArchive::bytes() const { return impl_->given; }

std::string ContextArchive::next() {
  while (impl_->pending.size() < kPiece && !impl_->closed) impl_->advance();
  auto piece = std::move(impl_->pending);
  impl_->pending.clear();
  impl_->given += piece.size();
  return piece;
}

}  // namespace gantry::cli
