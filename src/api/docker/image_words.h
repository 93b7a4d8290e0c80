#pragma once

#include <boost/json.hpp>

#include <set>

#include "gantry/image/image_store.h"

/// From the image store's words to Docker's. Pure.
namespace gantry::api::docker {

/// How layers are shared, for sizes; made once a request.
class LayerSizes {
 public:
  explicit LayerSizes(const std::vector<image::LayerUse>& layers);
  /// Bytes of those layers of the image that other images have as well.
  std::uint64_t shared(const image::ImageInfo& image) const;
  /// Bytes of all layers that some image has.
  std::uint64_t total() const { return total_; }

 private:
  std::map<std::string, image::LayerUse> layers_;
  std::uint64_t total_ = 0;
};

/// GET /images/{name}/json
boost::json::object inspect_image(const image::ImageInfo& image, int minor);
/// One row of GET /images/json. `shared` and `containers`: -1 where they were not asked for.
boost::json::object list_image(const image::ImageInfo& image, std::int64_t shared, std::int64_t containers, int minor);
/// GET /images/{name}/history
boost::json::array image_history(const image::ImageInfo& image, const std::vector<image::HistoryItem>& items);
/// [{"Untagged"},{"Deleted"}]
boost::json::array removed_rows(const image::ImageStore::Removed& removed);

/// Whether a filter like "busy*:1.?" fits "busybox:1.3": against name and tag, or the name alone.
bool reference_matches(const std::string& pattern, const std::string& familiar);

}  // namespace gantry::api::docker
