#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gantry {

/// RFC 4648, standard alphabet, padded.
std::string encode_base64(std::string_view data);
/// Standard or URL alphabet, padded or not. nullopt: not base64.
std::optional<std::string> decode_base64(std::string_view text);
/// URL alphabet, padded: for HTTP fields.
std::string encode_base64url(std::string_view data);

}  // namespace gantry
