#include "front.h"

#include "gantry/base/log.h"

namespace gantry::api::registry_front {
namespace {

using distribution::Code;

struct Refusal {
  int status = 500;
  Code code = Code::UNKNOWN;
  std::string message;
};

Code code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::unauthenticated:
      return Code::UNAUTHORIZED;
    case ErrorKind::denied:
      return Code::DENIED;
    case ErrorKind::unsupported:
      return Code::UNSUPPORTED;
    default:
      return Code::UNKNOWN;
  }
}

Refusal refusal_of(std::exception_ptr failure) {
  auto plain = to_error(failure);
  Refusal out{http_status(plain.kind()), code_of(plain.kind()), plain.message()};
  try {
    std::rethrow_exception(failure);
  } catch (const distribution::RangeError& error) {
    out.status = 416;
    out.code = error.code();
  } catch (const distribution::RegistryError& error) {
    out.code = error.code();
    if (error.code() == Code::TOOMANYREQUESTS) out.status = 429;
    if (error.code() == Code::UNSUPPORTED) out.status = 405;
  } catch (const http::StatusError& error) {
    out.status = error.status();
    if (out.status == 413) out.code = Code::SIZE_INVALID;
    if (out.status == 405) out.code = Code::UNSUPPORTED;
  } catch (...) {
  }
  if (!plain.fix().empty()) out.message += " (" + plain.fix() + ")";
  return out;
}

std::string body_of(const Refusal& refusal) {
  boost::json::object error{{"code", std::string(distribution::to_string(refusal.code))}, {"message", refusal.message}};
  boost::json::object body{{"errors", boost::json::array{std::move(error)}}};
  return boost::json::serialize(body) + "\n";
}

}  // namespace

Front::Front(Services& services, AuditLog& audit)
    : context_{services.parts.distribution, services.parts.mirror, services.pool(), services.transfers(), {}},
      users_(services.parts.registry_htpasswd, services.pool()),
      authenticator_(users_),
      gate_(Router(routes(context_)), authenticator_, authorizer_, audit, {.refuses_unknown_queries = false}) {}

task<> Front::handle(http::Exchange& exchange) {
  exchange.set_header("Docker-Distribution-Api-Version", "registry/2.0");
  exchange.set_header("X-Content-Type-Options", "nosniff");
  auto method = exchange.request().method;
  std::exception_ptr failure;
  try {
    co_await users_.look_up(exchange.request());
    co_await gate_.handle(exchange);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) {
    context_.metrics.answered(method, "2xx");
    co_return;
  }
  auto error = to_error(failure);
  if (exchange.answered() || error.kind() == ErrorKind::cancelled) std::rethrow_exception(failure);
  auto refusal = refusal_of(failure);
  if (error.kind() == ErrorKind::internal)
    log::error("registry: {} {}: {}", method, exchange.request().target.path, error.message());
  if (refusal.status == 401) exchange.set_header("WWW-Authenticate", "Basic realm=\"Gantry registry\"");
  if (refusal.status == 429) exchange.set_header("Retry-After", "1");
  context_.metrics.answered(method, std::to_string(refusal.status));
  co_await exchange.respond(refusal.status, std::string(http::kJson), body_of(refusal));
}

}  // namespace gantry::api::registry_front
