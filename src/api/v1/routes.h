#pragma once

#include "../services.h"

/// Version 1 of the Gantry API (docs/api.md). One file a group of routes; each ends with its table.
namespace gantry::api::v1 {

std::vector<Route> daemon_routes(Services& services);
std::vector<Route> event_routes(Services& services);
std::vector<Route> container_routes(Services& services);
std::vector<Route> run_routes(Services& services);
std::vector<Route> stream_routes(Services& services);
std::vector<Route> exec_routes(Services& services);
std::vector<Route> file_routes(Services& services);
std::vector<Route> image_routes(Services& services);
std::vector<Route> registry_routes(Services& services);
std::vector<Route> build_routes(Services& services);
std::vector<Route> network_routes(Services& services);
std::vector<Route> volume_routes(Services& services);
std::vector<Route> disk_routes(Services& services);
std::vector<Route> stack_routes(Services& services);

/// All of them.
std::vector<Route> routes(Services& services);

}  // namespace gantry::api::v1
