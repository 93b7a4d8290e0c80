#pragma once

#include "../services.h"
#include "gantry/api/gate.h"
#include "htpasswd.h"
#include "metrics.h"

namespace gantry::api::registry_front {

/// What the handlers of this front work with.
struct Context {
  distribution::Distribution& distribution;
  distribution::Mirror& mirror;
  WorkerPool& pool;
  TransferLimit& transfers;
  Metrics metrics;
};

std::vector<Route> routes(Context& context);

/// The OCI distribution specification 1.1 behind a gate of its own: its own users, its error shape.
class Front {
 public:
  Front(Services& services, AuditLog& audit);
  task<> handle(http::Exchange& exchange);

 private:
  Context context_;
  Htpasswd users_;
  RegistryAuthenticator authenticator_;
  RegistryAuthorizer authorizer_;
  Gate gate_;
};

}  // namespace gantry::api::registry_front
