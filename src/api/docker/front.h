#pragma once

#include "../services.h"
#include "gantry/api/gate.h"

namespace gantry::api::docker {

/// The Docker Engine API behind a gate of its own: versions in paths, Docker's error shape, Docker's headers.
class Front {
 public:
  Front(Services& services, const Authenticator& authenticator, const Authorizer& authorizer, AuditLog& audit);
  task<> handle(http::Exchange& exchange) const;

 private:
  std::string server_;
  Gate gate_;
};

}  // namespace gantry::api::docker
