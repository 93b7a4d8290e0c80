#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gantry/distribution/mirror.h"

namespace gantry::distribution {

/// The mirrored repository that a client means by `repository` and, when it says so, `registry`. A name of a proxy in
/// front of the repository counts most, the longest first; then `registry`; then the proxy for everything, unless the
/// client means another registry than that. Pure: whether there is such a repository of our own is for the caller to
/// know.
std::optional<Place> place_of(const std::vector<Proxy>& proxies, const std::string& repository,
                              const std::string& registry);

}  // namespace gantry::distribution
