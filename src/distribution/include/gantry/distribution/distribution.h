#pragma once

#include <boost/describe.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/base/fd.h"
#include "gantry/base/time.h"
#include "gantry/distribution/error.h"
#include "gantry/image/image_store.h"
#include "gantry/image/vouchers.h"
#include "gantry/oci/digest.h"
#include "gantry/store/store.h"

/// The distribution module is a registry: repositories, their manifests, tags, blobs and uploads, as the OCI
/// distribution specification 1.1 has them. It owns `<root>/blobs` (blobs by digest, as they were pushed),
/// `<root>/uploads` and its rows. A blob that is the uncompressed tar of a layer the engine has is not kept a second
/// time: it is made again from the layer's files whenever somebody wants it, and the layer stays as long as the blob.
///
/// A blob is there for a repository, and for no other, when it was uploaded or mounted there: knowing its digest gives
/// nobody its bytes, nor the knowledge that it exists.
///
/// A manifest is visible only when everything it names is there and durable; what it names stays while it is there.
///
/// Life cycle: construct, `recover`, use. Blocking; call on the pool. Thread-safe.
namespace gantry::distribution {

store::Schema schema();

struct Options {
  std::filesystem::path root;
  /// Tags that are never given to another manifest and not removed: patterns over "repository:tag" ("*" stops at '/').
  std::vector<std::string> immutable;
  std::chrono::seconds grace{3600};           ///< what nothing refers to yet is kept for so long
  std::chrono::seconds upload_expiry{86400};  ///< since its last byte
  std::shared_ptr<image::Vouchers> vouchers;  ///< by which the engine shows that it has a layer; empty: it cannot
};

inline constexpr std::size_t kManifestLimit = 4u << 20;

struct Manifest {
  oci::Digest digest;
  std::string media_type;
  std::string text;
};

/// What a manifest was stored as.
struct Stored {
  oci::Digest digest;
  std::optional<std::string> subject;  ///< digest of the manifest it is about
};

/// A row of the referrers list.
struct Referrer {
  std::string media_type, digest, artifact_type;
  std::uint64_t size = 0;
  std::string annotations;  ///< JSON object, or empty
};

struct Page {
  std::vector<std::string> names;  ///< in lexical order
  bool more = false;
};

struct RepositoryInfo {
  std::string name;
  std::uint64_t tags = 0;
  std::uint64_t manifests = 0;
  std::uint64_t size = 0;  ///< bytes of its blobs, whether other repositories have them too or not
  Timestamp pushed{};      ///< the last one
  bool mirrored = false;   ///< it is another registry's (mirror.h)
};
BOOST_DESCRIBE_STRUCT(RepositoryInfo, (), (name, tags, manifests, size, pushed, mirrored))

struct Collected {
  std::uint64_t uploads = 0, manifests = 0, blobs = 0;
  std::uint64_t bytes = 0;  ///< given back
};
BOOST_DESCRIBE_STRUCT(Collected, (), (uploads, manifests, blobs, bytes))

/// What it holds, for metrics and for who asks where the bytes are.
struct Totals {
  std::uint64_t repositories = 0, tags = 0, manifests = 0, blobs = 0, uploads = 0;
  std::uint64_t bytes = 0;         ///< of blobs that are kept as files, mirrored ones included
  std::uint64_t shared_bytes = 0;  ///< of blobs that are made from layers of the engine
};
BOOST_DESCRIBE_STRUCT(Totals, (), (repositories, tags, manifests, blobs, uploads, bytes, shared_bytes))

/// An open blob: a file, or something that is made, or comes, while it is read.
class Blob {
 public:
  Blob(std::uint64_t size, Fd file) : size_(size), file_(std::make_shared<Fd>(std::move(file))) {}
  /// Gives `size` bytes from `first` on.
  using Produce =
      std::function<void(std::uint64_t first, std::uint64_t size, const std::function<void(std::string_view)>& sink)>;
  Blob(std::uint64_t size, Produce produce) : size_(size), produce_(std::move(produce)) {}

  std::uint64_t size() const { return size_; }
  /// Empty for one that is made: then `produce` writes it.
  const std::shared_ptr<Fd>& file() const { return file_; }
  const Produce& produce() const { return produce_; }

 private:
  std::uint64_t size_;
  std::shared_ptr<Fd> file_;
  Produce produce_;
};

class Distribution {
 public:
  Distribution(store::Database& database, image::ImageStore& images, Options options);
  ~Distribution();
  /// Holds the layers it shares with the engine, forgets what a crash left. Before anything is collected elsewhere.
  void recover();

  /// Errors of all of these are RegistryError: NAME_INVALID, DIGEST_INVALID for what has not the form; *_UNKNOWN for
  /// what is not there.

  /// nullopt: the repository does not have it.
  std::optional<std::uint64_t> blob_size(const std::string& repository, const std::string& digest);
  Blob open_blob(const std::string& repository, const std::string& digest);
  void delete_blob(const std::string& repository, const std::string& digest);
  /// Gives `repository` a blob that `from` has; `from` may be a voucher for a layer of the engine. False: it has not,
  /// or is empty, and the blob is not in `repository` already.
  bool mount(const std::string& repository, const std::string& digest, const std::string& from);

  /// Returns its id.
  std::string begin_upload(const std::string& repository);
  /// Bytes that are there.
  std::uint64_t upload_offset(const std::string& repository, const std::string& id);
  /// `at`: where the client thinks it stands (RangeError when it does not). Returns the new offset. A full disk ends
  /// the upload and gives its bytes back, but for who said where it stands: that one may go on when there is room.
  std::uint64_t append(const std::string& repository, const std::string& id, std::optional<std::uint64_t> at,
                       std::string_view data);
  /// The blob is durable and linked when this returns. DIGEST_INVALID, and the upload is gone, when it is another.
  void finish_upload(const std::string& repository, const std::string& id, const std::string& digest);
  void cancel_upload(const std::string& repository, const std::string& id);

  /// `reference`: a tag or a digest.
  Stored put_manifest(const std::string& repository, const std::string& reference, const std::string& content_type,
                      const std::string& text);
  Manifest manifest(const std::string& repository, const std::string& reference);
  /// By digest: with its tags. By tag: the tag only.
  void delete_manifest(const std::string& repository, const std::string& reference);

  Page tags(const std::string& repository, std::size_t limit, const std::string& after);
  Page repositories(std::size_t limit, const std::string& after);
  std::vector<RepositoryInfo> describe();
  std::vector<Referrer> referrers(const std::string& repository, const std::string& digest,
                                  const std::string& artifact_type);

  /// Removes what nothing refers to any more and is older than the grace period, and ends uploads that have expired
  /// (with a `grace` of its own: those to which nothing came for so long); with `untagged` also manifests that
  /// have no tag, are in no index and about none that is there. In many small steps: pushes and pulls go on meanwhile.
  Collected collect(bool untagged, std::optional<std::chrono::seconds> grace = std::nullopt);
  Totals totals();

 private:
  friend class Mirror;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::distribution
