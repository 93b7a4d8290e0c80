#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::build {

/// `path` seen from `directory` (empty: "/"): absolute, otherwise as written. "." and ".." at the end mean a directory,
/// so that they get a trailing '/'.
std::string join_path(std::string_view directory, std::string_view path);
/// Absolute without ".", ".." and doubled or trailing '/'.
std::string clean_path(std::string_view path);
/// Components without "" and "."; ".." stays, since it means something only when links are resolved.
std::vector<std::string> components_of(std::string_view path);
/// A JSON array of strings, or nullopt.
std::optional<std::vector<std::string>> json_strings(const std::string& text);

}  // namespace gantry::build
