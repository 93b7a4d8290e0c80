#pragma once

#include <span>
#include <string>
#include <string_view>

namespace gantry::build {

/// The candidate that `wrong` was most likely meant to be; empty when none is near.
std::string_view nearest(std::string_view wrong, std::span<const std::string_view> candidates);
/// `, did you mean "X"?`, or nothing.
std::string suggestion(std::string_view wrong, std::span<const std::string_view> candidates);

}  // namespace gantry::build
