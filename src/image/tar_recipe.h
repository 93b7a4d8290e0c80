#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "entry_name.h"
#include "gantry/oci/digest.h"

struct ZSTD_CCtx_s;

/// How the bytes of a tar that came from outside are made again from the files it was unpacked to, so that a layer has
/// the same digest when it leaves as it had when it came, without its tar being kept. Everything that is not the
/// content of a file (headers, padding, order) is kept as it was; contents are referred to by name.
///
/// The file: one zstd frame around "gantry tar recipe 2\n" and records; numbers are little-endian.
///
///     'L' length:u32 bytes                 these bytes
///     'F' length:u64 name-length:u16 name  the whole content of this file
///     'C' crc32:u32                        of the content before, so that a damaged file can be named
///     'E'                                  the end; without it the recipe was cut off
///
/// Version 1 has no 'C'.
namespace gantry::image {

class RecipeWriter {
 public:
  /// Borrows `fd`, open for writing.
  explicit RecipeWriter(int fd);
  RecipeWriter(const RecipeWriter&) = delete;
  RecipeWriter& operator=(const RecipeWriter&) = delete;
  ~RecipeWriter();

  /// The tar's next bytes, as they are received. May run ahead of what `content` says about them.
  void raw(std::string_view piece);
  /// The bytes [at, at + size) of the tar are the content of this file. In the order of the tar.
  void content(std::uint64_t at, std::uint64_t size, const EntryName& name);
  /// Something else takes this name: a file of that name, seen earlier, is no longer what the tar had.
  void replaces(const EntryName& name);
  /// False when the tar cannot be made again from its files: one of them was replaced by a later entry.
  bool finish();

 private:
  void literal(std::string_view piece);
  void took_content(std::string_view piece);
  void put(std::string_view bytes, bool last = false);

  int fd_;
  std::unique_ptr<ZSTD_CCtx_s, void (*)(ZSTD_CCtx_s*)> zstd_;
  std::string out_;
  std::string pending_;  ///< from `taken_` on: received, and not known yet to be literal or content
  std::size_t taken_ = 0;
  std::uint64_t position_ = 0;  ///< in the tar, of the first byte of that
  std::uint64_t skip_ = 0;      ///< bytes of content still to come
  std::uint32_t crc_ = 0;       ///< of what has come
  std::unordered_set<std::size_t> names_;
  bool whole_ = true;
};

/// A file (by name) that is not what it was, and how.
using FaultSink = std::function<void(const std::string& name, const std::string& problem)>;

/// Hands the tar to `sink` in pieces, with the contents below the open directory `directory`. Error conflict when a
/// file is not what it was, unless `fault` takes it: then zeros stand in for what cannot be had, and it goes on. Error
/// internal when the recipe itself is damaged. The caller compares the digest.
void replay_recipe(int fd, int directory, const std::function<void(std::string_view)>& sink,
                   const FaultSink& fault = {});

}  // namespace gantry::image
