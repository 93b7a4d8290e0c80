#pragma once

#include "../services.h"
#include "filters.h"

/// The Docker Engine API (https://docs.docker.com/reference/api/engine/), versions 1.24 to 1.51, translated to the
/// engine's words. One file a group of routes; each ends with its table. Handlers decide nothing: what Docker knows and
/// the engine does not is added to the engine.
///
/// Conventions. A path's version is taken off before it is matched; `minor_of` tells it where answers differ. Unknown
/// query parameters and body members are ignored, as Docker does. An Error becomes {"message"} with the status of its
/// kind; texts that clients look for are Docker's.
namespace gantry::api::docker {

inline constexpr int kNewestMinor = 51;
inline constexpr int kOldestMinor = 24;

/// The 41 of "/v1.41/..."; the newest where the path names none.
int minor_of(const Call& call);

/// What `docker` calls its default network is the engine's `default`.
inline constexpr char kBridge[] = "bridge";
std::string engine_network(const std::string& docker_name);
std::string docker_network(const std::string& engine_name);

/// Error (not_found) "No such container: x".
ContainerId find_container(Services& services, const std::string& reference);
inline ContainerId target(Services& services, const Call& call) {
  return find_container(services, call.parameter("id"));
}

/// "host:port" lists, times and numbers as the Docker Engine API has them in queries.
bool docker_flag(const http::Query& query, std::string_view name, bool otherwise = false);
/// Seconds since 1970 with a fraction, RFC 3339, or a Go duration before now. nullopt when absent or "0".
std::optional<Timestamp> docker_time(const http::Query& query, std::string_view name);

/// The body as a JSON object; Docker's own words for what is wrong with it.
task<boost::json::object> body_object(http::Exchange& exchange);
/// The same, where a missing body means an empty object.
task<boost::json::object> optional_body(http::Exchange& exchange);
task<> answer_json(http::Exchange& exchange, int status, boost::json::value value);

/// What handlers keep of a tty's connection: {"Height","Width"} from the query h, w.
engine::TerminalSize terminal_size(const http::Query& query);

std::vector<Route> system_routes(Services& services);
std::vector<Route> event_routes(Services& services);
std::vector<Route> container_routes(Services& services);
std::vector<Route> create_routes(Services& services);
std::vector<Route> stream_routes(Services& services);
std::vector<Route> exec_routes(Services& services);
std::vector<Route> file_routes(Services& services);
std::vector<Route> image_routes(Services& services);
std::vector<Route> image_discovery_routes(Services& services);
std::vector<Route> image_archive_routes(Services& services);
std::vector<Route> image_transfer_routes(Services& services);
std::vector<Route> commit_routes(Services& services);
std::vector<Route> build_routes(Services& services);
std::vector<Route> disk_routes(Services& services);
std::vector<Route> network_routes(Services& services);
std::vector<Route> volume_routes(Services& services);
std::vector<Route> usage_routes(Services& services);

/// All of them.
std::vector<Route> routes(Services& services);

}  // namespace gantry::api::docker
