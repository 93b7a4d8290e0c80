#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::compose {

/// Splits like a POSIX shell, without any expansion: quotes, backslashes, white space. nullopt when a quote or a
/// backslash is left open.
std::optional<std::vector<std::string>> shell_split(std::string_view line);

/// The candidate that is nearest by edit distance, when it is near enough to be what was meant.
std::optional<std::string> nearest(std::string_view name, const std::vector<std::string>& candidates);
/// "; did you mean 'x'?" or nothing.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

enum class Controls { refuse, allow };
/// The offset of the first byte that is not part of UTF-8 text. `refuse`: or that is a control character other than
/// white space. A zero byte is never part of text.
std::optional<std::size_t> find_bad_character(std::string_view text, Controls controls);

std::string_view trim(std::string_view text);
std::string upper(std::string_view text);

}  // namespace gantry::compose
