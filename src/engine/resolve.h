#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gantry/engine/types.h"
#include "gantry/oci/image_spec.h"

/// What a container is made of once the user's wishes and the image's defaults are put together. Pure.
namespace gantry::engine {

struct Resolved {
  std::vector<std::string> argv;        ///< entrypoint and command together, never empty
  std::vector<std::string> entrypoint;  ///< the two halves of it, for who shows them
  std::vector<std::string> command;
  std::vector<std::string> exposed_ports;  ///< "80/tcp"; the image's and the user's
  std::vector<std::string> environment;    ///< the image's, then the user's; without what the engine adds at start
  std::string user;
  std::string working_dir;            ///< absolute
  std::string stop_signal;            ///< "SIGTERM"
  std::optional<HealthCheck> health;  ///< with `test` filled in
  std::vector<Mount> mounts;          ///< the user's, inherited ones and the image's volumes, parents before children
  std::vector<PortBinding> ports;     ///< the user's, and exposed ones when all are to be published
};
BOOST_DESCRIBE_STRUCT(Resolved, (),
                      (argv, entrypoint, command, exposed_ports, environment, user, working_dir, stop_signal, health,
                       mounts, ports))

/// Refuses a specification that cannot become a container: Error invalid or conflict names the member and the rule.
void require_valid(const ContainerSpec& spec);

/// `inherited`: mounts of other containers, which the user's own replace. Error invalid when neither the user nor the
/// image names a program.
Resolved resolve(const ContainerSpec& spec, const oci::RunConfig& image, const std::vector<Mount>& inherited = {});

/// "80", "53/udp": a binding with any port of the host. Error invalid.
PortBinding parse_exposed_port(const std::string& text);

/// KEY=VALUE lists: later ones replace earlier ones of the same key; an entry without '=' takes its key away.
std::vector<std::string> merge_environment(std::vector<std::string> base, const std::vector<std::string>& over);

}  // namespace gantry::engine
