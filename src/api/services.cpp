#include "services.h"

namespace gantry::api {

void publish(Services& services, std::string type, std::string action, std::string id, std::string name) {
  engine::Event event;
  event.time = now();
  event.type = std::move(type);
  event.action = std::move(action);
  event.id = std::move(id);
  event.name = std::move(name);
  services.engine().publish(std::move(event));
}

void publish_prune(Services& services, std::string type, std::uint64_t reclaimed) {
  engine::Event event;
  event.time = now();
  event.type = std::move(type);
  event.action = "prune";
  event.attributes["reclaimed"] = std::to_string(reclaimed);
  services.engine().publish(std::move(event));
}

}  // namespace gantry::api
