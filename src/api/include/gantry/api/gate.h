#pragma once

#include "gantry/api/access.h"
#include "gantry/api/audit.h"
#include "gantry/api/router.h"

namespace gantry::api {

/// The one way to a handler: authenticate, match, authorize, check the query, handle, audit. What is refused on the
/// way is audited too. The parts must outlive it.
class Gate {
 public:
  Gate(Router router, const Authenticator& authenticator, const Authorizer& authorizer, AuditLog& audit)
      : router_(std::move(router)), authenticator_(authenticator), authorizer_(authorizer), audit_(audit) {}

  task<> handle(http::Exchange& exchange) const;
  const Router& router() const { return router_; }

 private:
  task<> pass(http::Exchange& exchange, AuditRecord* record, Effect* effect) const;

  Router router_;
  const Authenticator& authenticator_;
  const Authorizer& authorizer_;
  AuditLog& audit_;
};

/// The header that names the project a request belongs to, and the project where it is absent.
inline constexpr char kProjectHeader[] = "Gantry-Project";
inline constexpr char kDefaultProject[] = "default";

}  // namespace gantry::api
