#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/base/fd.h"
#include "gantry/base/time.h"
#include "gantry/content/content_store.h"
#include "gantry/image/check.h"
#include "gantry/oci/digest.h"
#include "gantry/oci/image_spec.h"
#include "gantry/oci/reference.h"
#include "gantry/store/store.h"

/// The image module owns images: their names (references), configuration and manifest (blobs in the content store) and
/// their layers, each unpacked once under `<data_dir>/layers/<diff id>`, into a directory or a file-system image, in
/// overlayfs form (whiteouts are 0:0 character devices, opaque directories carry trusted.overlay.opaque). An image is visible only when everything under
/// it is durable. Blocking; call on the pool. Thread-safe.
namespace gantry::image {

store::Schema schema();

struct ImageInfo {
  std::string id;                       ///< digest of the configuration, "sha256:..."
  std::string digest;                   ///< digest of the manifest
  std::vector<std::string> references;  ///< familiar form: "debian:bookworm", "registry/x/y:tag"
  std::vector<std::string> digests;     ///< what registries call it: "debian@sha256:...", familiar form
  Timestamp created{};
  std::uint64_t size = 0;           ///< bytes on disk of its layers
  std::vector<std::string> layers;  ///< diff ids, lowest first
  std::optional<Timestamp> tagged;  ///< when it last got a name here
  std::optional<Timestamp> used;    ///< when it came, or a container or a build last began or ended with it
  oci::ImageConfig config;
};
BOOST_DESCRIBE_STRUCT(ImageInfo, (), (id, digest, references, digests, created, size, layers, tagged, used, config))

/// A container that was made from an image.
struct ImageUser {
  std::string image;  ///< id
  std::string container;
  bool running = false;
};

/// A step of an image's history, with the size of the layer it made.
struct HistoryItem {
  std::string created_by;
  std::string comment;
  Timestamp created{};
  std::uint64_t size = 0;
  bool empty = false;  ///< made no layer
};
BOOST_DESCRIBE_STRUCT(HistoryItem, (), (created_by, comment, created, size, empty))

/// A layer and how many images have it. None: what builds keep to be faster next time, and what is being made.
struct LayerUse {
  std::string diff_id;
  std::uint64_t size = 0;  ///< on disk
  std::uint64_t images = 0;
};
BOOST_DESCRIBE_STRUCT(LayerUse, (), (diff_id, size, images))

/// A compressed form of a layer that a registry has (or had).
struct LayerForm {
  std::string registry;    ///< "docker.io"
  std::string repository;  ///< "library/debian"
  std::string digest;
  std::uint64_t size = 0;
  std::string media_type;
};

struct ExpectedLayer;

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
  /// `mounts_dir`: where layers that are file-system images are mounted, below /run; empty: all are directories.
  ImageStore(store::Database& database, content::ContentStore& content, std::filesystem::path layers_dir,
             std::filesystem::path mounts_dir = {});
  ~ImageStore();

  /// Removes what a crash left: half-unpacked layers, rows without content. Call once at start.
  void recover();

  /// By reference, id, or id prefix (at least 4 digits). Error not_found, with the fix ("gantry image ls", bootstrap).
  ImageInfo resolve(const std::string& reference) const;
  std::vector<ImageInfo> list() const;
  /// What one of these calls took away: names, then ids of images and diff ids of layers.
  struct Removed {
    std::vector<std::string> untagged;
    std::vector<std::string> deleted;
    std::uint64_t bytes = 0;  ///< given back
  };
  /// By name: takes the name away, and the image with its unshared layers when it was the last. By id: takes the image
  /// away with its names, which must be in one repository unless forced. An image that a container uses is not
  /// removed: Error conflict, in the words that the Docker Engine API has for it. Forced, its name goes all the same
  /// and the image stays, without a name, until its containers are gone; by id only when none of them runs.
  Removed remove(const std::string& reference, bool force, const std::vector<ImageUser>& users);
  /// Removes images that no container uses and `wanted` says yes to: those without a name or, with `all`, any. What a
  /// pull or a build works with stays.
  Removed prune(bool all, const std::vector<ImageUser>& users, const std::function<bool(const ImageInfo&)>& wanted);
  /// Gives the image a further name; the image that had the name until now keeps its others.
  void tag(const std::string& source, const std::string& target);
  /// Notes that a registry has this image under `digest` in the repository of `reference`.
  void set_digest(const std::string& id, const std::string& reference, const std::string& digest);

  /// Somebody uses the image now. Remembered in memory, and written with the next change of the module's rows: this is
  /// on the way of a container's start.
  void touch(const std::string& id);
  /// Called, on any thread, whenever a layer has come. Set once, before there are any.
  void on_growth(std::function<void()> grown);

  /// Newest first.
  std::vector<HistoryItem> history(const std::string& reference) const;
  std::vector<LayerUse> layers() const;

  /// A root file system as a tar stream (plain, gzip, zstd, xz), read from `fd`, becomes a one-layer image.
  ImageInfo import(int fd, const std::string& reference, oci::ImageConfig config, const ProgressSink& progress);

  /// Where the layer's files are, for overlayfs; mounted now, if need be. The layer stays while an image or a lease has it.
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
  /// A layer that comes from a registry (gantry/image/layer_receiver.h).
  class LayerReceiver;
  std::unique_ptr<LayerReceiver> receive_layer(ExpectedLayer expected, std::shared_ptr<Lease> lease);
  /// Where a layer is to be had compressed: noted by a pull or a push, kept as long as the layer.
  void note_form(const std::string& diff_id, const LayerForm& form);
  std::vector<LayerForm> forms(const std::string& diff_id) const;
  /// A small blob that an image is going to refer to with a label (`kPackagesLabel`), held by `lease`.
  oci::Digest write_blob(std::string_view data, Lease& lease);

  /// A new layer from a directory in overlayfs form (an upper directory): its diff id is computed, the directory moved
  /// in and synced. Returns the diff id; an equal layer that is already there is reused and the directory removed. With
  /// a `lease` the layer is held from the moment it is there. `upper` must be on the file system of the layers, and
  /// come from an overlay mounted with redirect_dir=off,metacopy=off; on an Error it stays with the caller.
  std::string commit_layer(const std::filesystem::path& upper, const ProgressSink& progress, Lease* lease = nullptr);
  /// The same without taking the directory, which may be in use: the copy holds what was there at some moment of the
  /// call, without the (relative) paths that `skip` says yes to.
  std::string copy_layer(const std::filesystem::path& upper, const std::function<bool(const std::string&)>& skip,
                         Lease& lease);
  /// A new image from layers that are there. Returns it with `reference` (may be empty) pointing to it. Sets
  /// `config.rootfs` from the layers and `config.created`, when it is unset, to now.
  ImageInfo commit_image(const std::vector<std::string>& diff_ids, oci::ImageConfig config,
                         const std::string& reference);

  /// A new image whose configuration was made elsewhere and is kept byte for byte: it has the same id here as there.
  /// Its layers must be there and held by `lease`. `manifest`: as a registry gave it; empty: one is made of
  /// uncompressed layers. Without a name it stays only when `keep`, or for as long as `lease` lives. Error invalid when
  /// the configuration does not list exactly `diff_ids`.
  ImageInfo adopt_image(const std::string& config, const std::string& manifest,
                        const std::vector<std::string>& diff_ids, const std::string& reference, Lease& lease,
                        bool keep = false);

  /// The uncompressed tar of a layer, byte for byte what its diff id is the digest of. Error unsupported when its bytes
  /// cannot be made again (received by an older version, or a tar with several files of one name); Error conflict when
  /// its files have changed, which may show only at the end.
  void write_layer(const std::string& diff_id, const std::function<void(std::string_view)>& sink);
  /// Whether that tar can be made: the layer is there, with what it takes.
  bool has_layer_tar(const std::string& diff_id) const;
  /// Length of that tar.
  std::uint64_t layer_bytes(const std::string& diff_id) const;
  /// A configuration, manifest or index that an image refers to. Error not_found.
  std::string read_blob(const std::string& digest) const;

  /// Writes images as one tar that is a docker-archive (manifest.json) and an OCI layout (index.json) at once, layers
  /// uncompressed. "name:tag" brings that name along, "name" all tags of the repository, an id no name.
  void save(const std::vector<std::string>& references, const std::function<void(std::string_view)>& sink);

  /// The images that `save` writes for this reference: id -> a familiar name, or the id again.
  std::map<std::string, std::string> describe_saved(const std::string& reference) const;

  struct Loaded {
    ImageInfo image;
    std::vector<std::string> names;     ///< familiar; those that it got
    std::vector<std::string> replaced;  ///< "name id": images that lost a name to it
  };
  /// Reads what `save`, `docker save` (any version that writes a manifest.json), `skopeo` and others write: a
  /// docker-archive or an OCI layout in a tar, possibly compressed. Images that came before one that fails stay.
  std::vector<Loaded> load(int fd, const ProgressSink& progress);

  /// Reads everything that makes up these images (empty: all there are, and what belongs to none of them) and compares
  /// it with its digests. Layers that are found damaged are remembered as such: nobody who could make them anew takes
  /// them for granted any more, and when that happens they are replaced. `stop` is called now and then, and may throw.
  CheckReport check(const std::vector<std::string>& references, const ProgressSink& progress,
                    const std::function<void()>& stop = {});
  /// A damaged or missing configuration, manifest or other blob that an image has, from somewhere else. Error invalid
  /// when the digest is another one.
  void restore_blob(const std::string& digest, std::string_view data);
  /// What the manifest would be, had the image been made here: to be compared with a digest.
  std::string remake_manifest(const std::string& id) const;
  /// The digest of an image's manifest, also when its configuration cannot be read. Error not_found.
  std::string manifest_digest(const std::string& id) const;
  /// Ids of the images that have this manifest.
  std::vector<std::string> images_of_manifest(const std::string& digest) const;
  /// Where registries have this image: "docker.io/library/debian@sha256:...".
  std::vector<std::string> origins(const std::string& id) const;
  /// Layers that were replaced because they were damaged stay on disk for containers that have them mounted. Deletes
  /// those that none of these layers is.
  void drop_replaced(const std::vector<std::string>& diff_ids_in_use);

  /// Deletes those of these layers that no image and no lease needs. Returns bytes given back.
  std::uint64_t discard_layers(const std::vector<std::string>& diff_ids);

  /// Deletes layers and blobs that no image, container (`in_use`: image ids) or lease needs, and images that lost their
  /// last name to another image (an image committed without a name stays until it is removed by id). Returns bytes
  /// given back.
  std::uint64_t collect_garbage(const std::vector<std::string>& in_use);

 private:
  class Checker;
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
