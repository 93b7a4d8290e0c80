#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gantry/base/time.h"
#include "gantry/image/image_store.h"
#include "gantry/store/store.h"

/// The module's tables, as functions on a transaction. Who uses what is asked for, never counted.
namespace gantry::image::rows {

struct Image {
  std::string id;
  std::string manifest;
};

struct Layer {
  std::string diff_id;
  std::uint64_t size = 0;       ///< on disk
  std::uint64_t tar_bytes = 0;  ///< uncompressed tar
};

struct NewImage {
  Image image;
  bool keep = false;  ///< stays without a name until it is removed by id
  std::vector<std::string> diff_ids;
  std::set<std::string> blobs;
};

using store::Transaction;

void insert_layer(Transaction& t, const Layer& layer, bool canonical);
/// There now, and as it should be: in place of one that was damaged.
void replace_layer(Transaction& t, const Layer& layer);
std::optional<Layer> layer(Transaction& t, const std::string& diff_id);
bool is_damaged(Transaction& t, const std::string& diff_id);
void set_damaged(Transaction& t, const std::string& diff_id, bool damaged);
std::vector<std::string> all_layers(Transaction& t);
struct SharedLayer {
  Layer layer;
  std::uint64_t images = 0;
};
std::vector<SharedLayer> shared_layers(Transaction& t);
bool is_canonical(Transaction& t, const std::string& diff_id);
void insert_form(Transaction& t, const std::string& diff_id, const LayerForm& form);
/// The latest first.
std::vector<LayerForm> forms_of(Transaction& t, const std::string& diff_id);
/// Layers that no image has.
std::vector<Layer> unused_layers(Transaction& t);
void delete_layer(Transaction& t, const std::string& diff_id);

/// Replaces nothing: an image that is there already stays, and `keep` is only ever added.
void insert_image(Transaction& t, const NewImage& image);
std::optional<Image> image(Transaction& t, const std::string& id);
std::vector<Image> all_images(Transaction& t);
std::optional<Image> image_by_name(Transaction& t, const std::string& canonical);
std::vector<Image> images_by_manifest(Transaction& t, const std::string& digest);
std::vector<Image> images_by_prefix(Transaction& t, const std::string& hex);
std::vector<std::string> layers_of(Transaction& t, const std::string& id);
std::uint64_t size_of(Transaction& t, const std::string& id);
void delete_image(Transaction& t, const std::string& id);
/// Of an image, configuration and manifest among them.
std::vector<std::string> blobs_of(Transaction& t, const std::string& id);
void set_used(Transaction& t, const std::string& id, Timestamp at);
std::optional<Timestamp> last_used(Transaction& t, const std::string& id);
/// Images without a name that nobody asked to keep.
std::vector<std::string> dangling(Transaction& t);
void forget(Transaction& t, const std::string& id);

void set_name(Transaction& t, const std::string& canonical, const std::string& id, Timestamp at);
std::optional<Timestamp> last_named(Transaction& t, const std::string& id);
/// `repository` is canonical: "docker.io/library/debian".
void set_digest(Transaction& t, const std::string& repository, const std::string& digest, const std::string& id);
void delete_digest(Transaction& t, const std::string& repository, const std::string& digest);
/// "docker.io/library/debian@sha256:..."
std::vector<std::string> digests_of(Transaction& t, const std::string& id);
std::optional<Image> image_by_digest(Transaction& t, const std::string& repository, const std::string& digest);
void delete_name(Transaction& t, const std::string& canonical);
std::vector<std::string> names_of(Transaction& t, const std::string& id);
std::vector<std::string> all_names(Transaction& t);

std::set<std::string> all_blobs(Transaction& t);

}  // namespace gantry::image::rows
