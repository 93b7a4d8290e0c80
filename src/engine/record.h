#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gantry/engine/types.h"
#include "resolve.h"

namespace gantry::engine {

/// What the engine knows of a container beyond what it tells. Stored beside the ContainerInfo.
struct Internals {
  Resolved resolved;  ///< volume mounts carry their chosen names
  std::vector<std::string> anonymous_volumes;
  std::vector<std::string> layers;  ///< diff ids, lowest first
  std::string upper;                ///< the writable layer; empty: the container's own directory
  std::string work;
  std::optional<std::int64_t> id_slot;  ///< its id range (see id_range.h); unset: the host's user namespace
  bool hidden = false;                  ///< a build step: not in lists unless asked for
  int failures = 0;                     ///< see Ending
  bool start_after_stop = false;        ///< the stop in progress is half of a restart
  bool limits_in_doubt = false;         ///< an update was committed and perhaps not carried out
  bool remove_volumes = false;          ///< the removal in progress takes its anonymous volumes too
  std::optional<Timestamp> start_began;
  bool network_changing = false;  ///< it is being connected or disconnected while it runs
  std::string boot_id;            ///< of the kernel it was last started under
};
BOOST_DESCRIBE_STRUCT(Internals, (),
                      (resolved, anonymous_volumes, layers, upper, work, id_slot, hidden, failures, start_after_stop, limits_in_doubt,
                       remove_volumes, start_began, network_changing, boot_id))

struct Record {
  ContainerInfo info;
  Internals internals;
};

}  // namespace gantry::engine
