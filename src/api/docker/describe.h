#pragma once

#include <boost/json.hpp>

#include "gantry/engine/engine.h"

/// From the engine's words for a container to Docker's: the other direction of create.h. Pure.
namespace gantry::api::docker {

struct Surroundings {
  std::map<std::string, network::NetworkInfo> networks;  ///< by name
  std::map<std::string, std::string> volume_paths;       ///< by name
};

/// GET /containers/{id}/json.
boost::json::object inspect_container(const engine::ContainerInfo& info, const engine::ContainerDetails& details,
                                      const Surroundings& around, int minor);
/// One row of GET /containers/json.
boost::json::object list_container(const engine::ContainerInfo& info, const engine::ContainerDetails& details,
                                   const Surroundings& around, int minor);

/// "bridge", "host", "none", "container:<id>" or a network's name.
std::string network_mode(const engine::ContainerSpec& spec);
boost::json::object labels_object(const std::map<std::string, std::string>& labels);
boost::json::array strings_array(const std::vector<std::string>& strings);
/// null when there are none: where Go would leave a nil slice.
boost::json::value strings_or_null(const std::vector<std::string>& strings);
/// RFC 3339, "0001-01-01T00:00:00Z" for none.
std::string go_time(const std::optional<Timestamp>& time);

}  // namespace gantry::api::docker
