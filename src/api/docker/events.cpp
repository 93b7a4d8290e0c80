#include <signal.h>
#include <string.h>

#include <algorithm>

#include "../event_stream.h"
#include "routes.h"

namespace gantry::api::docker {
namespace {

namespace bj = boost::json;

const std::vector<std::string_view> kFilters{"config", "container", "daemon",  "event", "image",
                                             "label",  "label!",    "network", "node",  "plugin",
                                             "scope",  "secret",    "service", "type",  "volume"};

std::string docker_attribute(const std::string& key) {
  if (key == "exit_code") return "exitCode";
  if (key == "exec_duration") return "execDuration";
  if (key == "old_name") return "oldName";
  return key;
}

/// "15" of "SIGTERM".
std::string number_of(std::string_view signal) {
  if (!signal.starts_with("SIG")) return std::string(signal);
  for (int number = 1; number < SIGRTMIN; ++number)
    if (const char* name = ::sigabbrev_np(number); name != nullptr && signal.substr(3) == name)
      return std::to_string(number);
  return std::string(signal);
}

/// Docker has a few of its actions with dashes, and others carry what matters most after a colon.
std::string action_of(const engine::Event& event) {
  if (event.action == "archive_path") return "archive-path";
  if (event.action == "extract_to_dir") return "extract-to-dir";
  const char* key = event.action == "health_status" ? "health" : "command";
  bool carries = event.action == "health_status" || event.action == "exec_create" || event.action == "exec_start";
  auto found = event.attributes.find(key);
  return carries && found != event.attributes.end() ? event.action + ": " + found->second : event.action;
}

/// One event in Docker's words, old ones (`status`, `id`, `from`) included.
bj::object describe(const engine::Event& event) {
  bj::object attributes;
  for (const auto& [key, value] : event.attributes) attributes[docker_attribute(key)] = value;
  if (const auto* signal = attributes.if_contains("signal")) attributes["signal"] = number_of(signal->get_string());
  if (!event.name.empty()) attributes["name"] = event.type == "network" ? docker_network(event.name) : event.name;
  auto action = action_of(event);
  if (const auto* exec = attributes.if_contains("exec")) {
    attributes["execID"] = *exec;
    attributes.erase("exec");
  }
  auto nanos = event.time.time_since_epoch().count();
  bj::object out;
  if (event.type == "container" || event.type == "image") {
    out["status"] = action;
    out["id"] = event.id;
    if (const auto* image = attributes.if_contains("image"); image != nullptr && event.type == "container")
      out["from"] = *image;
  }
  out["Type"] = event.type;
  out["Action"] = action;
  out["Actor"] = bj::object{{"ID", event.id}, {"Attributes", std::move(attributes)}};
  out["scope"] = "local";
  out["time"] = nanos / 1'000'000'000;
  out["timeNano"] = nanos;
  return out;
}

class Wanted {
 public:
  explicit Wanted(const http::Query& query) : filters_(query, kFilters) {}

  bool operator()(const engine::Event& event) const {
    return filters_.match("type", event.type) && filters_.match("scope", "local") && match_action(event) &&
           match_object("container", event) && match_object("image", event) && match_object("network", event) &&
           match_object("volume", event) && match_object("daemon", event) && match_object("plugin", event) &&
           match_object("service", event) && match_object("node", event) && match_object("secret", event) &&
           match_object("config", event) && filters_.match_labels(event.attributes);
  }

 private:
  bool match_action(const engine::Event& event) const {
    const auto& wanted = filters_.all("event");
    if (wanted.empty()) return true;
    auto action = action_of(event);
    for (const auto& name : wanted)
      if (name == action || name == action.substr(0, action.find(':'))) return true;
    return false;
  }
  /// A container filter also lets pass what happens to an object with the container.
  bool match_object(const std::string& type, const engine::Event& event) const {
    const auto& wanted = filters_.all(type);
    if (wanted.empty()) return true;
    for (const auto& name : wanted) {
      if (event.type == type &&
          (event.id == name || event.name == name || (name.size() >= 12 && event.id.starts_with(name)) ||
           (type == "image" && event.name.substr(0, event.name.find(':')) == name)))
        return true;
      auto attribute = event.attributes.find(type);
      if (attribute != event.attributes.end() &&
          (attribute->second == name ||
           (type == "image" && attribute->second.substr(0, attribute->second.find(':')) == name)))
        return true;
    }
    return false;
  }
  Filters filters_;
};

task<> events(Services& services, Call call) {
  Wanted wanted(call.query());
  auto since = docker_time(call.query(), "since");
  auto until = docker_time(call.query(), "until");
  if (since && until && *until < *since)
    throw Error(ErrorKind::invalid, "`since` time (" + call.query().get("since") + ") cannot be after `until` time (" +
                                        call.query().get("until") + ")");
  bool follow = !(until && *until <= now());
  auto* exchange = &call.exchange;
  co_await exchange->start_stream(200, std::string(http::kJson));
  auto sink = [exchange, &wanted, until](engine::Event event) -> task<> {
    if (!wanted(event) || (until && event.time > *until)) co_return;
    auto text = bj::serialize(describe(event)) + "\n";
    co_await exchange->write(std::move(text));
  };
  auto stream = services.engine().events(since, follow, sink);
  if (follow && until) stream = until_then(*until, std::move(stream));
  co_await std::move(stream);
}

}  // namespace

std::vector<Route> event_routes(Services& s) {
  return {{"GET", "/events", "event.read", Effect::reads, {}, with(s, events)}};
}

}  // namespace gantry::api::docker
