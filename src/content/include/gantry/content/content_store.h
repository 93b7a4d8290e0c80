#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/base/fd.h"
#include "gantry/oci/digest.h"

/// The content module owns blobs by digest: `<root>/sha256/<hex>`. A blob is there completely or not at all: written to
/// `<root>/ingest/`, synced, renamed. Blocking. Thread-safe.
namespace gantry::content {

class ContentStore {
 public:
  explicit ContentStore(std::filesystem::path root);

  bool has(const oci::Digest& digest) const;
  /// Error not_found. Verifies the digest of what it returns (small blobs: configurations, manifests).
  std::string read(const oci::Digest& digest) const;
  Fd open(const oci::Digest& digest) const;
  /// Length in bytes. Error not_found.
  std::uint64_t size(const oci::Digest& digest) const;
  oci::Digest write(std::string_view data);
  /// Whether all of it can be read and has that digest. Error not_found.
  bool verify(const oci::Digest& digest) const;
  /// Writes it also when one is there, which may be damaged. Error invalid when it has another digest.
  void replace(const oci::Digest& digest, std::string_view data);

  /// A blob that arrives in pieces.
  class Writer {
   public:
    ~Writer();  ///< discards what was not committed
    Writer(Writer&&) noexcept;
    void append(std::string_view data);
    /// Error invalid when `expected` is given and differs.
    oci::Digest commit(const std::optional<oci::Digest>& expected = {});

   private:
    friend class ContentStore;
    struct Impl;
    explicit Writer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
  };
  Writer writer();

  /// Gives a finished file of this file system, synced by the caller, the name of the blob it is. The digest is the
  /// caller's word.
  void adopt(const std::filesystem::path& file, const oci::Digest& digest);

  void remove(const oci::Digest& digest);
  std::vector<oci::Digest> list() const;
  /// Empties `ingest/`. Call once at start.
  void recover();

 private:
  std::filesystem::path root_;
};

}  // namespace gantry::content
