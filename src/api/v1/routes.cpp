#include "routes.h"

namespace gantry::api::v1 {

void publish(Services& services, std::string type, std::string action, std::string id, std::string name) {
  engine::Event event;
  event.time = now();
  event.type = std::move(type);
  event.action = std::move(action);
  event.id = std::move(id);
  event.name = std::move(name);
  services.engine().publish(std::move(event));
}

std::vector<Route> routes(Services& services) {
  std::vector<Route> all;
  for (auto group : {daemon_routes, event_routes, container_routes, run_routes, stream_routes, exec_routes,
                     image_routes, build_routes, network_routes, volume_routes, stack_routes}) {
    auto rows = group(services);
    all.insert(all.end(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
  }
  return all;
}

}  // namespace gantry::api::v1
