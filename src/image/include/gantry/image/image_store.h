#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/fd.h"
#include "gantry/base/time.h"
#include "gantry/content/content_store.h"
#include "gantry/oci/digest.h"
#include "gantry/oci/image_spec.h"
#include "gantry/oci/reference.h"
#include "gantry/store/store.h"

/// The image module owns images: their names (references), configuration and manifest (blobs in the content store) and
/// their layers, each unpacked once under `<data_dir>/layers/<diff id>/fs` in overlayfs form (whiteouts are 0:0
/// character devices, opaque directories carry trusted.overlay.opaque). An image is visible only when everything under
/// it is durable. Blocking; call on the pool. Thread-safe.
namespace gantry::image {

store::Schema schema();

struct ImageInfo {
  std::string id;                       ///< digest of the configuration, "sha256:..."
  std::string digest;                   ///< digest of the manifest
  std::vector<std::string> references;  ///< familiar form: "debian:bookworm", "registry/x/y:tag"
  Timestamp created{};
  std::uint64_t size = 0;           ///< bytes on disk of its layers
  std::vector<std::string> layers;  ///< diff ids, lowest first
  oci::ImageConfig config;
};
BOOST_DESCRIBE_STRUCT(ImageInfo, (), (id, digest, references, created, size, layers, config))

/// Reports progress of something long. `current` and `total` in `unit`s; total 0: unknown. Called on the worker thread.
struct Progress {
  std::string id;      ///< which line of the display: a layer, a step
  std::string status;  ///< "unpacking", "retrieving packages"
  std::uint64_t current = 0;
  std::uint64_t total = 0;
};
BOOST_DESCRIBE_STRUCT(Progress, (), (id, status, current, total))
using ProgressSink = std::function<void(const Progress&)>;

/// The label of a base image that names the blob listing its packages, one "name=version" a line.
inline constexpr char kPackagesLabel[] = "gantry.packages";
/// The label of a base image that says where it came from.
inline constexpr char kOriginLabel[] = "gantry.origin";

class ImageStore {
 public:
  ImageStore(store::Database& database, content::ContentStore& content, std::filesystem::path layers_dir);
  ~ImageStore();

  /// Removes what a crash left: half-unpacked layers, rows without content. Call once at start.
  void recover();

  /// By reference, id, or id prefix (at least 4 digits). Error not_found, with the fix ("gantry image ls", bootstrap).
  ImageInfo resolve(const std::string& reference) const;
  std::vector<ImageInfo> list() const;
  /// Removes a name, and the image with its unshared layers when it was the last name. Error conflict when `in_use`
  /// says so (ids of images that containers use) and not forced.
  struct Removed {
    std::vector<std::string> untagged;
    std::vector<std::string> deleted;
  };
  Removed remove(const std::string& reference, bool force, const std::vector<std::string>& in_use);
  void tag(const std::string& source, const std::string& target);

  /// A root file system as a tar stream (plain, gzip, zstd, xz), read from `fd`, becomes a one-layer image.
  ImageInfo import(int fd, const std::string& reference, oci::ImageConfig config, const ProgressSink& progress);

  /// Where the layer's files are, for overlayfs. The layer stays while an image or a lease has it.
  std::filesystem::path layer_path(const std::string& diff_id) const;

  /// Keeps layers and blobs alive while a build or a pull works with them; released in the destructor, forgotten by a
  /// restart.
  class Lease;
  std::shared_ptr<Lease> lease();
  /// Error not_found when the layer is not there (any more).
  void hold(Lease& lease, const std::string& diff_id);

  /// A tar stream (as for `import`) becomes a layer and nothing more, held by `lease`. Returns its diff id: the digest
  /// of the uncompressed tar as received. A failure leaves nothing behind.
  std::string import_layer(int fd, Lease& lease, const ProgressSink& progress);
  /// A small blob that an image is going to refer to with a label (`kPackagesLabel`), held by `lease`.
  oci::Digest write_blob(std::string_view data, Lease& lease);

  /// A new layer from a directory in overlayfs form (an upper directory): its diff id is computed, the directory moved
  /// in and synced. Returns the diff id; an equal layer that is already there is reused and the directory removed. With
  /// a `lease` the layer is held from the moment it is there. `upper` must be on the file system of the layers, and
  /// come from an overlay mounted with redirect_dir=off,metacopy=off; on an Error it stays with the caller.
  std::string commit_layer(const std::filesystem::path& upper, const ProgressSink& progress, Lease* lease = nullptr);
  /// A new image from layers that are there. Returns it with `reference` (may be empty) pointing to it. Sets
  /// `config.rootfs` from the layers and `config.created`, when it is unset, to now.
  ImageInfo commit_image(const std::vector<std::string>& diff_ids, oci::ImageConfig config,
                         const std::string& reference);

  /// Deletes those of these layers that no image and no lease needs.
  void discard_layers(const std::vector<std::string>& diff_ids);

  /// Deletes layers and blobs that no image, container (`in_use`: image ids) or lease needs, and images that lost their
  /// last name to another image (an image committed without a name stays until it is removed by id). Returns bytes
  /// given back.
  std::uint64_t collect_garbage(const std::vector<std::string>& in_use);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Makes a Debian base image from the distribution's own signed archive, with the mirrors and keys of this machine's
/// apt configuration (mmdebstrap). `name` is "debian:bookworm" or another suite. The exact package versions are
/// recorded in the image (label "gantry.packages" names the blob; also /var/lib/dpkg/status). Error unsupported,
/// not_found (suite), unavailable (mmdebstrap missing: fix names the package).
ImageInfo bootstrap(ImageStore& images, const std::string& name, const std::vector<std::string>& extra_packages,
                    const std::filesystem::path& scratch_dir, const ProgressSink& progress);

}  // namespace gantry::image
