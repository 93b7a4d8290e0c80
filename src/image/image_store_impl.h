#pragma once

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "gantry/image/image_store.h"
#include "layer_directory.h"
#include "lease.h"
#include "rows.h"

namespace gantry::image {

/// What the parts of ImageStore share. `mutex` makes "is it still there? then refer to it" one step against removal: it
/// is held while a layer or blob is published and recorded, and while unused ones are withdrawn, both of which are
/// short; never while anything is unpacked, hashed or deleted. Blocking module, so a lock and not an executor.
struct ImageStore::Impl {
  Impl(store::Database& database_in, content::ContentStore& content_in, std::filesystem::path layers_dir)
      : database(database_in), content(content_in), layers(std::move(layers_dir)) {}

  store::Database& database;
  content::ContentStore& content;
  LayerDirectory layers;
  std::mutex mutex;
  LeaseTable leases;

  /// Throws Error (not_found) with what to do; (conflict) when a prefix fits several.
  rows::Image find(store::Transaction& t, const std::string& reference) const;
  /// Under `mutex`, so that nothing it reads is removed meanwhile.
  ImageInfo describe(const std::string& id) const;
  /// Gives a finished directory its name and its row, unless an equal layer is there.
  void publish(TemporaryDirectory& ingest, const rows::Layer& layer, bool canonical, Lease* lease);

  /// Under `mutex`: takes unused layers (among `only`, when given) and blobs away from the store. The files of the
  /// layers go with `trash`.
  struct Swept {
    std::vector<std::string> diff_ids;
    std::uint64_t bytes = 0;
    std::vector<TemporaryDirectory> trash;
  };
  Swept sweep(const std::set<std::string>* only);

  void recover_layers();
  void recover_images();
};

/// What to do about an image that is not there.
std::string advice(const std::string& reference, const std::vector<std::string>& familiar_names);

}  // namespace gantry::image
