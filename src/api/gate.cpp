#include "gantry/api/gate.h"

#include <chrono>

namespace gantry::api {
namespace {

std::string project_of(const http::Request& request) {
  auto project = request.headers.get(kProjectHeader, kDefaultProject);
  if (project != kDefaultProject) throw Error(ErrorKind::not_found, "no project '" + project + "'", "use 'default'");
  return project;
}

void describe(AuditRecord* record, const Principal& principal) {
  record->principal = principal.name;
  record->uid = principal.uid;
  record->pid = principal.pid;
}

}  // namespace

task<> Gate::handle(http::Exchange& exchange) const {
  AuditRecord record;
  // What cannot be matched to a route has no action; its method and path stand in for it.
  record.action = exchange.request().method + " " + exchange.request().target.path;
  auto effect = Effect::reads;
  auto started = std::chrono::steady_clock::now();
  std::exception_ptr failure;
  try {
    co_await pass(exchange, &record, &effect);
    record.outcome = "ok";
  } catch (...) {
    failure = std::current_exception();
    auto error = to_error(failure);
    record.outcome = to_string(error.kind());
    record.reason = error.message();
  }
  record.duration = std::chrono::steady_clock::now() - started;
  audit_.record(record, effect == Effect::changes);
  if (failure) std::rethrow_exception(failure);
}

task<> Gate::pass(http::Exchange& exchange, AuditRecord* record, Effect* effect) const {
  const auto& request = exchange.request();
  auto principal = authenticator_.authenticate(request);
  describe(record, principal);

  auto target = dialect_.normalize ? dialect_.normalize(request.target) : request.target;
  auto match = router_.match(request.method, target);
  *effect = match.route->effect;
  record->action = match.route->action;
  record->object = match.object;
  record->project = request.headers.get(kProjectHeader, kDefaultProject);

  Access access{match.route->action, record->project, match.object};
  authorizer_.authorize(principal, access);

  auto project = project_of(request);
  if (dialect_.refuses_unknown_queries) check_query(*match.route, request.target.query);
  Call call{exchange, std::move(match.parameters), std::move(principal), std::move(project), &record->object};
  co_await match.route->handler(std::move(call));
}

}  // namespace gantry::api
