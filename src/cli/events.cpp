#include "events.h"

#include <fmt/format.h>

#include "api.h"
#include "parse.h"
#include "text.h"

namespace gantry::cli {
namespace {

http::Query event_query(const EventFlags& flags) {
  http::Query query;
  auto time = now();
  std::optional<Timestamp> until;
  if (!flags.until.empty()) until = parse_moment(flags.until, time, "--until");
  // An end in the past leaves nothing to wait for.
  if (!flags.no_follow && (!until || *until > time)) query.add("follow", "1");
  if (!flags.since.empty()) query.add("since", to_rfc3339(parse_moment(flags.since, time, "--since")));
  if (until) query.add("until", to_rfc3339(*until));
  for (const auto& filter : flags.filters) {
    auto [key, value] = parse_pair(filter, "--filter");
    if (key == "event") key = "action";  // docker's word
    if (key == "container") key = "name";
    if (key != "type" && key != "action" && key != "name" && key != "label")
      throw Error(ErrorKind::invalid, fmt::format("--filter '{}': unknown key '{}'", filter, key),
                  "filter by type, action, name or label");
    query.add(key, value);
  }
  return query;
}

}  // namespace

std::string event_text(const engine::Event& event) {
  auto text = fmt::format("{} {} {} {}", to_rfc3339(event.time), event.type, event.action,
                          event.name.empty() ? event.id : event.name);
  std::vector<std::string> attributes;
  for (const auto& [key, value] : event.attributes) attributes.push_back(key + "=" + value);
  return one_line(attributes.empty() ? text : text + " (" + join(attributes, ", ") + ")") + "\n";
}

task<int> print_events(Context& context, EventFlags flags) {
  http::ClientRequest request;
  request.path = "/v1/events";
  request.query = event_query(flags);
  auto response = co_await context.client.open(std::move(request));
  for (;;) {
    auto line = co_await response.read_line();
    if (!line) co_return 0;
    if (line->empty()) continue;
    context.console.out(context.json() ? *line + "\n" : event_text(json::from_text<engine::Event>(*line, "an event")));
  }
}

}  // namespace gantry::cli
