#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gantry/image/image_store.h"
#include "layer_directory.h"
#include "lease.h"
#include "rows.h"
#include "tar_recipe.h"
#include "tree_sink.h"
#include "writer_crew.h"

namespace gantry::image {

/// An image and the canonical names it is to be saved with.
struct Chosen {
  ImageInfo info;
  std::vector<std::string> names;
};

/// What the parts of ImageStore share. `mutex` makes "is it still there? then refer to it" one step against removal: it
/// is held while a layer or blob is published and recorded, and while unused ones are withdrawn, both of which are
/// short; never while anything is unpacked, hashed or deleted. Blocking module, so a lock and not an executor.
struct ImageStore::Impl {
  Impl(store::Database& database_in, content::ContentStore& content_in, std::filesystem::path layers_dir,
       std::filesystem::path mounts_dir)
      : database(database_in), content(content_in), layers(std::move(layers_dir), std::move(mounts_dir)) {}

  store::Database& database;
  content::ContentStore& content;
  LayerDirectory layers;
  std::mutex mutex;
  LeaseTable leases;
  mutable std::mutex touched_mutex;  ///< never held while anything is written: `touch` is called on the control thread
  std::map<std::string, Timestamp> touched;  ///< images in use, not written yet
  std::function<void()> grown;
  /// Configurations by id, which is their digest: every start of a container asks for the one of its image.
  mutable std::map<std::string, oci::ImageConfig> configs;
  std::weak_ptr<WriterCrew> crew;  ///< its threads live as long as somebody receives a layer

  /// Throws Error (not_found) with what to do; (conflict) when a prefix fits several.
  rows::Image find(store::Transaction& t, const std::string& reference) const;
  /// Under `mutex`, so that nothing it reads is removed meanwhile.
  ImageInfo describe(const std::string& id) const;
  const oci::ImageConfig& config_of(const std::string& id) const;
  /// Gives a finished directory its name and its row, unless an equal layer is there.
  void publish(TemporaryDirectory& ingest, const rows::Layer& layer, bool canonical, Lease* lease);

  /// A layer that comes in an archive of this size becomes a file-system image. A smaller one has few files: they are
  /// made in the time that a mount takes.
  static constexpr std::size_t kSmallestImage = 1u << 20;
  /// A layer that is on its way in: where its files go, and what is noted about its tar.
  struct NewLayer {
    /// `size`: of the archive it comes in, or what is known of it so far.
    NewLayer(Impl& store, std::uint64_t size);
    /// All is written: closes everything and publishes it, held by `lease`.
    void publish(Impl& store, const std::string& diff_id, std::uint64_t tar_bytes, Lease& lease);

    TemporaryDirectory ingest;
    Fd place;                          ///< the directory or the image
    std::shared_ptr<WriterCrew> crew;  ///< of a directory
    std::unique_ptr<TreeSink> sink;
    Fd recipe_file;
    std::optional<RecipeWriter> recipe;
  };

  std::shared_ptr<WriterCrew> writer_crew();
  void write_touched(store::Transaction& t);
  std::optional<Timestamp> touched_at(const std::string& id) const;

  /// Under `mutex`: takes unused layers (among `only`, when given) and blobs away from the store. The files of the
  /// layers go with `trash`.
  struct Swept {
    std::vector<std::string> diff_ids;
    std::uint64_t bytes = 0;
    std::vector<TemporaryDirectory> trash;
  };
  Swept sweep(const std::set<std::string>* only);

  /// What makes up an image. `name` is canonical, or empty; an empty manifest is made.
  struct NewRecord {
    std::string config;
    std::string manifest;
    std::vector<std::string> diff_ids;
    std::string name;
    std::set<std::string> blobs;
    bool keep = false;  ///< stays without a name
  };
  /// Under `mutex`: its layers are there and stay.
  ImageInfo record(const NewRecord& image);
  std::vector<Chosen> choose(const std::vector<std::string>& references) const;
  bool has_blob(const std::string& digest) const;

  void recover_layers();
  void recover_images();
};

/// Beside a layer's files: how its tar is made again (tar_recipe.h).
inline constexpr char kRecipe[] = "recipe";
inline constexpr char kLayerType[] = "application/vnd.oci.image.layer.v1.tar";
inline constexpr char kConfigType[] = "application/vnd.oci.image.config.v1+json";

/// With layers as they are: uncompressed.
oci::Manifest manifest_of(const std::string& config_text, const std::string& id,
                          const std::vector<rows::Layer>& layers);

/// A canonical name as people write it ("busybox:latest").
std::string familiar(const std::string& canonical);

/// What to do about an image that is not there.
std::string advice(const std::string& reference, const std::vector<std::string>& familiar_names);

}  // namespace gantry::image
