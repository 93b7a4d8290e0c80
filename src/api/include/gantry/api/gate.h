#pragma once

#include "gantry/api/access.h"
#include "gantry/api/audit.h"
#include "gantry/api/router.h"

namespace gantry::api {

/// How a front differs from the others on the way to a handler.
struct Dialect {
  /// What the target means to the router: without a version in front of it, for example. Throws Error.
  std::function<http::Target(const http::Target&)> normalize = {};
  bool refuses_unknown_queries = true;
};

/// The one way to a handler: authenticate, match, authorize, check the query, handle, audit. What is refused on the
/// way is audited too. The parts must outlive it.
class Gate {
 public:
  Gate(Router router, const Authenticator& authenticator, const Authorizer& authorizer, AuditLog& audit,
       Dialect dialect = {})
      : router_(std::move(router)),
        authenticator_(authenticator),
        authorizer_(authorizer),
        audit_(audit),
        dialect_(std::move(dialect)) {}

  task<> handle(http::Exchange& exchange) const;
  const Router& router() const { return router_; }

 private:
  task<> pass(http::Exchange& exchange, AuditRecord* record, Effect* effect) const;

  Router router_;
  const Authenticator& authenticator_;
  const Authorizer& authorizer_;
  AuditLog& audit_;
  Dialect dialect_;
};

/// The header that names the project a request belongs to, and the project where it is absent.
inline constexpr char kProjectHeader[] = "Gantry-Project";
inline constexpr char kDefaultProject[] = "default";

}  // namespace gantry::api
