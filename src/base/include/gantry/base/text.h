#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gantry {

/// The pieces between separators; an empty text gives one empty piece.
std::vector<std::string> split(std::string_view text, char separator);
/// The same as parts of `text`, which must outlive them.
std::vector<std::string_view> split_views(std::string_view text, char separator);

/// The letters A to Z made small; every other byte stays as it is, whatever the locale.
std::string lower(std::string_view text);

}  // namespace gantry
