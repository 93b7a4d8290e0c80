#pragma once

#include <functional>
#include <string>

namespace gantry::engine {

/// A name for a container nobody named: "brisk_lantern". `taken` says which are in use; after a few tries a number is
/// put behind.
std::string generate_name(const std::function<bool(const std::string&)>& taken);

}  // namespace gantry::engine
