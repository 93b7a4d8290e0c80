#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gantry/registry/registry.h"
#include "stop_flag.h"

namespace gantry::registry {

/// Blocking. See Registry::describe.
Described describe(const Options& options, const std::string& reference, const std::optional<Credentials>& credentials,
                   StopFlag& stop);

/// Blocking. See Registry::search.
std::vector<FoundImage> search(const Options& options, const std::string& term,
                               const std::optional<Credentials>& credentials, std::size_t limit, StopFlag& stop);

}  // namespace gantry::registry
