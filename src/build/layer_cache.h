#pragma once

#include <memory>
#include <mutex>
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

  struct Hit {
    std::string diff_id;
    std::string created;  ///< when the step ran; empty: not known
  };
  /// The layer is held by `lease` when it is returned.
  std::optional<Hit> find(const std::string& key, image::ImageStore::Lease& lease);
  /// When a step last gave this layer, in seconds since 1970; 0: never.
  std::int64_t last_used(const std::string& diff_id) const;
  void remember(const std::string& key, const Hit& made);
  /// The same, unless another build or stage has made one of that key meanwhile: then that is returned, so that all go
  /// on with one layer.
  Hit settle(const std::string& key, const Hit& made, image::ImageStore::Lease& lease);

 private:
  std::mutex settling_;  ///< steps end on several threads
  store::Database& database_;
  image::ImageStore& images_;
};

}  // namespace gantry::build
