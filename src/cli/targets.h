#pragma once

#include <string>
#include <vector>

#include "context.h"
#include "gantry/engine/types.h"

namespace gantry::cli {

/// The containers a word on the command line means: a container's name, id or id prefix; "stack/service"; the service
/// of the only stack that has one of that name; with `stacks`, a whole stack. At least one, replicas in order.
/// Error not_found, or conflict when several stacks have such a service.
task<std::vector<engine::ContainerInfo>> find_containers(const Context& context, std::string word, bool stacks = false);

/// The id of one: of several replicas the first that runs.
task<std::string> find_container(const Context& context, std::string word);

/// The pure part: what `word` means among `all`, when it is no container. Empty: nothing.
std::vector<engine::ContainerInfo> match_service(const std::vector<engine::ContainerInfo>& all, const std::string& word,
                                                 bool stacks);

}  // namespace gantry::cli
