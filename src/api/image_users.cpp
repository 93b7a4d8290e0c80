#include "image_users.h"

namespace gantry::api {

std::vector<image::ImageUser> image_users(engine::Engine& engine) {
  std::vector<image::ImageUser> users;
  for (const auto& container : engine.list(engine::ContainerFilter())) {
    bool ended = container.state == engine::State::created || container.state == engine::State::exited;
    users.push_back({container.image_id, container.id.str(), !ended});
  }
  return users;
}

}  // namespace gantry::api
