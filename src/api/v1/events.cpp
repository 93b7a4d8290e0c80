#include "../event_stream.h"
#include "routes.h"

namespace gantry::api::v1 {
namespace {

/// Which events a client wants. All given conditions must hold; repeated ones of a kind are alternatives.
struct Wanted {
  std::vector<std::string> types;
  std::vector<std::string> actions;
  std::vector<std::string> names;
  std::map<std::string, std::string> labels;
  std::optional<Timestamp> until;

  explicit Wanted(const http::Query& query)
      : types(query.all("type")),
        actions(query.all("action")),
        names(query.all("name")),
        labels(api::labels(query, "label")),
        until(timestamp(query, "until")) {}

  bool operator()(const engine::Event& event) const {
    return named(types, event.type) && named(actions, event.action) &&
           (named(names, event.name) || named(names, event.id)) && has_labels(event.attributes, labels) &&
           (!until || event.time <= *until);
  }
};

task<> write_event(http::Exchange* exchange, const Wanted* wanted, engine::Event event) {
  if ((*wanted)(event)) co_await exchange->write(json::to_text(event) + "\n");
}

task<> events(Services& services, Call call) {
  Wanted wanted(call.query());
  auto since = timestamp(call.query(), "since");
  // Until a moment that has passed there is nothing to follow, and the past is shown whole.
  bool follow = flag(call.query(), "follow") && !(wanted.until && *wanted.until <= now());
  auto* exchange = &call.exchange;
  co_await exchange->start_stream(200, std::string(http::kNdjson));
  auto sink = [exchange, &wanted](engine::Event event) { return write_event(exchange, &wanted, std::move(event)); };
  auto stream = services.engine().events(since, follow, sink);
  if (follow && wanted.until) stream = until_then(*wanted.until, std::move(stream));
  co_await std::move(stream);
}

}  // namespace

std::vector<Route> event_routes(Services& s) {
  return {
      {"GET",
       "/v1/events",
       "event.read",
       Effect::reads,
       {"since", "until", "follow", "type", "action", "name", "label"},
       with(s, events)},
  };
}

}  // namespace gantry::api::v1
