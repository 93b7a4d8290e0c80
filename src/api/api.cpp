#include "gantry/api/api.h"

#include "docker/front.h"
#include "registry/front.h"
#include "v1/routes.h"

namespace gantry::api {

struct Api::Impl {
  Impl(Parts parts, const Authenticator& authenticator, const Authorizer& authorizer, AuditLog& audit)
      : changes(parts.executor),
        services{std::move(parts), changes},
        gate(Router(v1::routes(services)), authenticator, authorizer, audit),
        docker(services, authenticator, authorizer, audit),
        registry(services, audit) {}

  Scope changes;
  Services services;
  Gate gate;
  docker::Front docker;
  registry_front::Front registry;
};

Api::Api(Parts parts, const Authenticator& authenticator, const Authorizer& authorizer, AuditLog& audit)
    : impl_(std::make_unique<Impl>(std::move(parts), authenticator, authorizer, audit)) {}

Api::~Api() = default;

http::Handler Api::handler() {
  return [gate = &impl_->gate](http::Exchange& exchange) { return gate->handle(exchange); };
}

http::Handler Api::docker_handler() {
  return [front = &impl_->docker](http::Exchange& exchange) { return front->handle(exchange); };
}

http::Handler Api::registry_handler() {
  return [front = &impl_->registry](http::Exchange& exchange) { return front->handle(exchange); };
}

task<> Api::close() { co_await impl_->changes.close(); }

}  // namespace gantry::api
