#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "gantry/oci/digest.h"
#include "tar_recipe.h"

namespace gantry::image {

struct CloseArchive {
  void operator()(::archive* handle) const { archive_read_free(handle); }
};
using ArchiveHandle = std::unique_ptr<::archive, CloseArchive>;

/// The bytes of a tar, one piece after the other.
class TarSource {
 public:
  virtual ~TarSource() = default;
  /// The next piece, valid until the next call; empty at the end. Throws Error.
  virtual std::string_view next() = 0;
  /// Called when the tar has ended at `position`: reads to the end. What stands behind must be nothing but zeros.
  virtual void expect_only_zeros_after(std::uint64_t position) = 0;
  /// Every byte is compared with a digest: then a missing end mark is how the tar was made, and no damage.
  virtual bool is_verified() const { return false; }
};

/// The bytes of `fd` with compression taken off, hashed and counted as they pass. Neither copied nor moved: libarchive
/// keeps a pointer to it.
class PlainStream : public TarSource {
 public:
  /// `recipe`, if there is one, gets every byte. `head`: what has been read from `fd` already.
  PlainStream(int fd, std::function<void(std::uint64_t)> progress, RecipeWriter* recipe = nullptr,
              std::string head = {});
  PlainStream(const PlainStream&) = delete;
  PlainStream& operator=(const PlainStream&) = delete;

  std::string_view next() override;
  /// Refuses bytes behind the compressed stream as well.
  void expect_only_zeros_after(std::uint64_t position) override;
  std::uint64_t size() const { return size_; }
  oci::Digest digest() { return hasher_.finish(); }

 private:
  static la_ssize_t read(::archive* handle, void* self, const void** buffer);
  void open();

  int fd_;
  std::function<void(std::uint64_t)> progress_;
  RecipeWriter* recipe_;
  std::string head_;
  bool past_head_ = false;
  std::unique_ptr<char[]> buffer_;
  std::uint64_t received_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t last_data_ = 0;  ///< position behind the last byte that is not zero
  bool ended_ = false;
  oci::Hasher hasher_;
  ArchiveHandle handle_;
};

/// The entries of a tar stream.
class TarReader {
 public:
  explicit TarReader(TarSource& stream);
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  /// nullptr at the end. Throws Error. The entry is valid until the next call.
  ::archive_entry* next();
  /// Calls `write` with each piece of the current entry's content and where it belongs; holes are not mentioned.
  void content(const std::function<void(std::string_view, std::uint64_t)>& write);
  /// Where the current entry's content begins in the stream; before `content`.
  std::uint64_t position() const { return static_cast<std::uint64_t>(archive_filter_bytes(handle_.get(), -1)); }

 private:
  static la_ssize_t read(::archive* handle, void* self, const void** buffer);
  [[noreturn]] void fail();
  void finish();

  TarSource& stream_;
  std::exception_ptr failure_;  ///< what the stream threw while libarchive, which is C, was on the stack
  ArchiveHandle handle_;
};

}  // namespace gantry::image
