#pragma once

#include "gantry/api/api.h"
#include "parameters.h"
#include "shield.h"

namespace gantry::api {

/// What the handlers of every front translate to. Outlives every request.
struct Services {
  Parts parts;
  Scope& changes;  ///< where shielded work lives

  engine::Engine& engine() { return parts.engine; }
  WorkerPool& pool() { return parts.engine.pool(); }
  TransferLimit& transfers() { return parts.engine.transfers(); }
};

using Function = task<> (*)(Services&, Call);

inline std::function<task<>(Call)> with(Services& services, Function function) {
  return [&services, function](Call call) { return function(services, std::move(call)); };
}

/// For what has no events of its own below: images, networks, volumes.
void publish(Services& services, std::string type, std::string action, std::string id, std::string name);
/// The end of a prune, with the bytes it gave back.
void publish_prune(Services& services, std::string type, std::uint64_t reclaimed);

}  // namespace gantry::api
