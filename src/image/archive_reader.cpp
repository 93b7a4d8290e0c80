#include "archive_reader.h"

#include <unistd.h>

#include <cerrno>
#include <string>

#include "gantry/base/error.h"
#include "piece.h"

// Two libarchive readers in a row. The first only takes compression off, so that every byte of the tar can be hashed
// and what stands behind its end can be looked at; the second understands tar. Formats and filters are named one by
// one: "all" would include filters that start programs.
namespace gantry::image {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorKind::invalid, "archive: " + why); }

std::string reason(::archive* handle) {
  const char* text = archive_error_string(handle);
  return text != nullptr ? text : "unknown error";
}

}  // namespace

PlainStream::PlainStream(int fd, std::function<void(std::uint64_t)> progress, RecipeWriter* recipe, std::string head)
    : fd_(fd),
      progress_(std::move(progress)),
      recipe_(recipe),
      head_(std::move(head)),
      buffer_(std::make_unique<char[]>(kPiece)),
      handle_(archive_read_new()) {
  for (auto support :
       {archive_read_support_filter_gzip, archive_read_support_filter_bzip2, archive_read_support_filter_xz,
        archive_read_support_filter_lzma, archive_read_support_filter_zstd, archive_read_support_filter_lz4,
        archive_read_support_format_raw})
    if (support(handle_.get()) != ARCHIVE_OK) refuse(reason(handle_.get()));
  open();
}

void PlainStream::open() {
  if (archive_read_open(handle_.get(), this, nullptr, &PlainStream::read, nullptr) != ARCHIVE_OK)
    refuse(received_ == 0 ? "is empty" : "cannot be read: " + reason(handle_.get()));
  ::archive_entry* entry = nullptr;
  int status = archive_read_next_header(handle_.get(), &entry);
  if (status == ARCHIVE_EOF) refuse("is empty");
  if (status != ARCHIVE_OK) refuse("cannot be read: " + reason(handle_.get()));
}

la_ssize_t PlainStream::read(::archive* handle, void* self, const void** buffer) {
  auto& stream = *static_cast<PlainStream*>(self);
  if (!stream.head_.empty() && !std::exchange(stream.past_head_, true)) {
    *buffer = stream.head_.data();
    stream.received_ += stream.head_.size();
    return static_cast<la_ssize_t>(stream.head_.size());
  }
  ssize_t n;
  do n = ::read(stream.fd_, stream.buffer_.get(), kPiece);
  while (n < 0 && errno == EINTR);
  if (n < 0) archive_set_error(handle, errno, "read: %s", strerrordesc_np(errno));
  if (n > 0) stream.received_ += static_cast<std::uint64_t>(n);
  *buffer = stream.buffer_.get();
  return n;
}

std::string_view PlainStream::next() {
  if (ended_) return {};
  const void* data = nullptr;
  std::size_t length = 0;
  la_int64_t offset = 0;
  // Raw content has no holes, so the pieces follow each other and `offset` says nothing new.
  int status = archive_read_data_block(handle_.get(), &data, &length, &offset);
  if (status == ARCHIVE_EOF) {
    ended_ = true;
    return {};
  }
  if (status != ARCHIVE_OK) refuse("damaged or cut off: " + reason(handle_.get()));
  std::string_view piece(static_cast<const char*>(data), length);
  hasher_.update(piece);
  if (recipe_ != nullptr) recipe_->raw(piece);
  if (auto last = piece.find_last_not_of('\0'); last != std::string_view::npos) last_data_ = size_ + last + 1;
  size_ += length;
  if (progress_) progress_(received_);
  return piece.empty() ? next() : piece;
}

void PlainStream::expect_only_zeros_after(std::uint64_t position) {
  while (!next().empty()) {
  }
  if (last_data_ > position) refuse("there are bytes behind its end");
  auto consumed = static_cast<std::uint64_t>(archive_filter_bytes(handle_.get(), -1));
  if (consumed < received_) refuse("there are bytes behind the end of the compressed stream");
}

TarReader::TarReader(TarSource& stream) : stream_(stream), handle_(archive_read_new()) {
  archive_read_support_format_tar(handle_.get());
  if (archive_read_open(handle_.get(), this, nullptr, &TarReader::read, nullptr) != ARCHIVE_OK) fail();
}

la_ssize_t TarReader::read(::archive* handle, void* self, const void** buffer) {
  auto& reader = *static_cast<TarReader*>(self);
  try {
    auto piece = reader.stream_.next();
    *buffer = piece.data();
    return static_cast<la_ssize_t>(piece.size());
  } catch (...) {
    reader.failure_ = std::current_exception();
    archive_set_error(handle, EIO, "the stream failed");
    return -1;
  }
}

void TarReader::fail() {
  if (failure_) std::rethrow_exception(failure_);
  auto why = reason(handle_.get());
  if (why == "Unrecognized archive format") refuse("is not a tar");
  refuse("damaged or cut off: " + why);
}

::archive_entry* TarReader::next() {
  ::archive_entry* entry = nullptr;
  int status = archive_read_next_header(handle_.get(), &entry);
  if (status == ARCHIVE_OK) return entry;
  if (status == ARCHIVE_EOF) {
    finish();
    return nullptr;
  }
  // Names are bytes here (see PlainNames in unpack.cpp); libarchive says so each time and hands them over unchanged.
  bool only_charset = status == ARCHIVE_WARN && reason(handle_.get()).find("converted") != std::string::npos;
  if (!only_charset) fail();
  return entry;
}

void TarReader::finish() {
  auto end = static_cast<std::uint64_t>(archive_filter_bytes(handle_.get(), -1));
  // At the end libarchive notes where it looked for the next header: a zero block was consumed there, or nothing was.
  if (!stream_.is_verified() && end <= static_cast<std::uint64_t>(archive_read_header_position(handle_.get())))
    refuse("ends without an end mark: it has been cut off");
  stream_.expect_only_zeros_after(end);
}

void TarReader::content(const std::function<void(std::string_view, std::uint64_t)>& write) {
  for (;;) {
    const void* data = nullptr;
    std::size_t length = 0;
    la_int64_t offset = 0;
    int status = archive_read_data_block(handle_.get(), &data, &length, &offset);
    if (status == ARCHIVE_EOF) return;
    if (status != ARCHIVE_OK) fail();
    write({static_cast<const char*>(data), length}, static_cast<std::uint64_t>(offset));
  }
}

}  // namespace gantry::image
