#pragma once

#include "routes.h"

namespace gantry::api::v1 {

struct Removed {
  std::vector<std::string> untagged;
  std::vector<std::string> deleted;
};

/// Ids of the images that containers were made from.
std::vector<std::string> images_in_use(Services& services);
/// Removes a name, or the image, and publishes what went.
task<Removed> remove_image(Services& services, std::string reference, bool force);

}  // namespace gantry::api::v1
