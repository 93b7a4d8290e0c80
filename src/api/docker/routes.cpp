#include "routes.h"

#include <charconv>

namespace gantry::api::docker {

std::string engine_network(const std::string& docker_name) {
  return docker_name == kBridge || docker_name.empty() ? engine::kDefaultNetwork : docker_name;
}

std::string docker_network(const std::string& engine_name) {
  return engine_name == engine::kDefaultNetwork ? kBridge : engine_name;
}

ContainerId find_container(Services& services, const std::string& reference) {
  try {
    return services.engine().resolve(reference.starts_with('/') ? reference.substr(1) : reference);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) throw Error(ErrorKind::not_found, "No such container: " + reference);
    throw;
  }
}

bool docker_flag(const http::Query& query, std::string_view name, bool otherwise) {
  const auto* value = query.find(name);
  if (value == nullptr) return otherwise;
  // Docker takes everything for true that does not say no.
  return !(value->empty() || *value == "0" || *value == "no" || *value == "false" || *value == "none" ||
           *value == "False" || *value == "FALSE");
}

std::optional<Timestamp> docker_time(const http::Query& query, std::string_view name) {
  const auto* value = query.find(name);
  if (value == nullptr || value->empty() || *value == "0") return std::nullopt;
  return parse_moment(*value);
}

namespace {

boost::json::value parse_body(const std::string& text) {
  try {
    return json::parse(text, "request body");
  } catch (const Error& error) {
    throw Error(ErrorKind::invalid, "invalid JSON: " + error.message());
  }
}

}  // namespace

task<boost::json::object> optional_body(http::Exchange& exchange) {
  auto text = co_await exchange.read_body(kBodyLimit);
  boost::json::object out;
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) co_return out;
  auto value = parse_body(text);
  if (value.is_null()) co_return out;
  if (!value.is_object()) throw Error(ErrorKind::invalid, "invalid JSON: the request body must be an object");
  out = std::move(value.get_object());
  co_return out;
}

task<boost::json::object> body_object(http::Exchange& exchange) {
  auto type = exchange.request().headers.get("Content-Type");
  if (!type.empty() && !type.starts_with("application/json"))
    throw http::StatusError(415, ErrorKind::invalid,
                            "Content-Type specified (" + type + ") must be 'application/json'");
  auto out = co_await optional_body(exchange);
  if (out.empty() && exchange.request().headers.get("Content-Length", "0") == "0" &&
      exchange.request().headers.get("Transfer-Encoding").empty())
    throw Error(ErrorKind::invalid, "invalid JSON: got EOF while reading request body");
  co_return out;
}

task<> answer_json(http::Exchange& exchange, int status, boost::json::value value) {
  auto text = boost::json::serialize(value) + "\n";
  co_await exchange.respond(status, std::string(http::kJson), std::move(text));
}

engine::TerminalSize terminal_size(const http::Query& query) {
  auto read = [&](std::string_view name) {
    auto text = query.get(name, "0");
    std::uint16_t out = 0;
    auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (failed != std::errc() || end != text.data() + text.size())
      throw Error(ErrorKind::invalid,
                  "invalid resize " + std::string(name == "h" ? "height" : "width") + " '" + text + "'");
    return out;
  };
  return {.rows = read("h"), .columns = read("w")};
}

std::vector<Route> routes(Services& services) {
  std::vector<Route> all;
  for (auto group : {system_routes, event_routes, container_routes, create_routes, stream_routes, exec_routes,
                     file_routes, network_routes, volume_routes, image_routes, image_archive_routes, commit_routes,
                     build_routes, disk_routes, usage_routes, image_transfer_routes, image_discovery_routes}) {
    auto rows = group(services);
    all.insert(all.end(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
  }
  return all;
}

}  // namespace gantry::api::docker
