#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "gantry/base/fd.h"

namespace gantry::test {

/// An unnamed file in memory that holds `data`, to be read from its start.
inline Fd file_of(std::string_view data) {
  Fd fd(::memfd_create("archive", MFD_CLOEXEC));
  write_all(fd.get(), data, "memfd");
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

/// Writes tar archives of any content, sane or not. Entries belong to the user that runs the test unless said
/// otherwise.
class ArchiveBuilder {
 public:
  using Tweak = std::function<void(::archive_entry*)>;

  explicit ArchiveBuilder(int filter = ARCHIVE_FILTER_NONE, int format = ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE)
      : handle_(archive_write_new(), archive_write_free) {
    archive_write_set_format(handle_.get(), format);
    archive_write_add_filter(handle_.get(), filter);
    archive_write_set_bytes_per_block(handle_.get(), 0);
    archive_write_open(handle_.get(), this, nullptr, &ArchiveBuilder::append, nullptr);
  }

  ArchiveBuilder& file(const std::string& name, std::string_view content, unsigned mode = 0644, Tweak tweak = {}) {
    auto entry = make(name, AE_IFREG, mode);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
    return write(entry.get(), tweak, content);
  }
  ArchiveBuilder& directory(const std::string& name, unsigned mode = 0755, Tweak tweak = {}) {
    return write(make(name, AE_IFDIR, mode).get(), tweak);
  }
  ArchiveBuilder& symlink(const std::string& name, const std::string& target, Tweak tweak = {}) {
    auto entry = make(name, AE_IFLNK, 0777);
    archive_entry_set_symlink(entry.get(), target.c_str());
    return write(entry.get(), tweak);
  }
  ArchiveBuilder& hard_link(const std::string& name, const std::string& target) {
    auto entry = make(name, AE_IFREG, 0644);
    archive_entry_set_hardlink(entry.get(), target.c_str());
    return write(entry.get(), {});
  }
  ArchiveBuilder& node(const std::string& name, unsigned type, unsigned major = 0, unsigned minor = 0) {
    auto entry = make(name, type, 0600);
    archive_entry_set_rdevmajor(entry.get(), major);
    archive_entry_set_rdevminor(entry.get(), minor);
    return write(entry.get(), {});
  }

  std::string finish() {
    archive_write_close(handle_.get());
    return data_;
  }
  Fd open() { return file_of(finish()); }

 private:
  using Entry = std::unique_ptr<::archive_entry, void (*)(::archive_entry*)>;

  static la_ssize_t append(::archive*, void* self, const void* data, std::size_t size) {
    static_cast<ArchiveBuilder*>(self)->data_.append(static_cast<const char*>(data), size);
    return static_cast<la_ssize_t>(size);
  }

  Entry make(const std::string& name, unsigned type, unsigned mode) {
    Entry entry(archive_entry_new(), archive_entry_free);
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), type);
    archive_entry_set_perm(entry.get(), static_cast<mode_t>(mode));
    archive_entry_set_uid(entry.get(), ::geteuid());
    archive_entry_set_gid(entry.get(), ::getegid());
    archive_entry_set_mtime(entry.get(), 1700000000, 0);
    return entry;
  }

  ArchiveBuilder& write(::archive_entry* entry, const Tweak& tweak, std::string_view content = {}) {
    if (tweak) tweak(entry);
    if (archive_write_header(handle_.get(), entry) < ARCHIVE_WARN)
      throw std::runtime_error(archive_error_string(handle_.get()));
    if (!content.empty()) archive_write_data(handle_.get(), content.data(), content.size());
    return *this;
  }

  std::unique_ptr<::archive, int (*)(::archive*)> handle_;
  std::string data_;
};

}  // namespace gantry::test
