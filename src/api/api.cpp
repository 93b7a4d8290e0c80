#include "gantry/api/api.h"

#include "v1/routes.h"

namespace gantry::api {

struct Api::Impl {
  Impl(Parts parts, const Authenticator& authenticator, const Authorizer& authorizer, AuditLog& audit)
      : changes(parts.executor),
        services{std::move(parts), changes},
        gate(routes(services), authenticator, authorizer, audit) {}

  // The place for further fronts: each is one more table behind the same gate.
  static Router routes(v1::Services& services) { return Router(v1::routes(services)); }

  Scope changes;
  v1::Services services;
  Gate gate;
};

Api::Api(Parts parts, const Authenticator& authenticator, const Authorizer& authorizer, AuditLog& audit)
    : impl_(std::make_unique<Impl>(std::move(parts), authenticator, authorizer, audit)) {}

Api::~Api() = default;

http::Handler Api::handler() {
  return [gate = &impl_->gate](http::Exchange& exchange) { return gate->handle(exchange); };
}

task<> Api::close() { co_await impl_->changes.close(); }

}  // namespace gantry::api
