#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gantry/engine/types.h"
#include "gantry/oci/image_spec.h"

/// What a container is made of once the user's wishes and the image's defaults are put together. Pure.
namespace gantry::engine {

struct Resolved {
  std::vector<std::string> argv;         ///< entrypoint and command together, never empty
  std::vector<std::string> environment;  ///< the image's, then the user's; without what the engine adds at start
  std::string user;
  std::string working_dir;            ///< absolute
  std::string stop_signal;            ///< "SIGTERM"
  std::optional<HealthCheck> health;  ///< with `test` filled in
  std::vector<Mount> mounts;          ///< the user's and the image's volumes, parents before children
};
BOOST_DESCRIBE_STRUCT(Resolved, (), (argv, environment, user, working_dir, stop_signal, health, mounts))

/// Refuses a specification that cannot become a container: Error invalid or conflict names the member and the rule.
void require_valid(const ContainerSpec& spec);

/// Error invalid when neither the user nor the image names a program.
Resolved resolve(const ContainerSpec& spec, const oci::RunConfig& image);

/// KEY=VALUE lists: later ones replace earlier ones of the same key; an entry without '=' takes its key away.
std::vector<std::string> merge_environment(std::vector<std::string> base, const std::vector<std::string>& over);
std::optional<std::string> find_environment(const std::vector<std::string>& environment, const std::string& key);

}  // namespace gantry::engine
