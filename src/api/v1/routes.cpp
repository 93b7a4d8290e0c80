#include "routes.h"

namespace gantry::api::v1 {

std::vector<Route> routes(Services& services) {
  std::vector<Route> all;
  for (auto group :
       {daemon_routes, event_routes, container_routes, run_routes, stream_routes, exec_routes, file_routes,
        image_routes, registry_routes, build_routes, network_routes, volume_routes, disk_routes, stack_routes}) {
    auto rows = group(services);
    all.insert(all.end(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
  }
  return all;
}

}  // namespace gantry::api::v1
