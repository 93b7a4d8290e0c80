#pragma once

#include <memory>
#include <optional>
#include <string>

#include "gantry/image/image_store.h"
#include "gantry/store/store.h"

namespace gantry::build {

/// Which layer a step made, by everything the step depends on. Only remembers: the layers are the image store's, and
/// one that was removed there is a miss.
class LayerCache {
 public:
  LayerCache(store::Database& database, image::ImageStore& images) : database_(database), images_(images) {}

  /// The layer is held by `lease` when it is returned.
  std::optional<std::string> find(const std::string& key, image::ImageStore::Lease& lease);
  void remember(const std::string& key, const std::string& diff_id);

 private:
  store::Database& database_;
  image::ImageStore& images_;
};

}  // namespace gantry::build
