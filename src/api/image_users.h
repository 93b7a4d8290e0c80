#pragma once

#include "gantry/engine/engine.h"

namespace gantry::api {

/// Which containers were made from which images, for ImageStore::remove and prune.
std::vector<image::ImageUser> image_users(engine::Engine& engine);

}  // namespace gantry::api
