#pragma once

#include "../parameters.h"
#include "../shield.h"
#include "gantry/api/api.h"

/// Version 1 of the Gantry API (docs/api.md). One file a group of routes; each ends with its table.
namespace gantry::api::v1 {

/// What handlers translate to. Outlives every request.
struct Services {
  Parts parts;
  Scope& changes;  ///< where shielded work lives

  engine::Engine& engine() { return parts.engine; }
  WorkerPool& pool() { return parts.engine.pool(); }
};

using Function = task<> (*)(Services&, Call);

inline std::function<task<>(Call)> with(Services& services, Function function) {
  return [&services, function](Call call) { return function(services, std::move(call)); };
}

/// For what has no events of its own below: images, networks, volumes.
void publish(Services& services, std::string type, std::string action, std::string id, std::string name);

std::vector<Route> daemon_routes(Services& services);
std::vector<Route> event_routes(Services& services);
std::vector<Route> container_routes(Services& services);
std::vector<Route> run_routes(Services& services);
std::vector<Route> stream_routes(Services& services);
std::vector<Route> exec_routes(Services& services);
std::vector<Route> image_routes(Services& services);
std::vector<Route> build_routes(Services& services);
std::vector<Route> network_routes(Services& services);
std::vector<Route> volume_routes(Services& services);
std::vector<Route> stack_routes(Services& services);

/// All of them.
std::vector<Route> routes(Services& services);

}  // namespace gantry::api::v1
