#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "transport.h"

namespace gantry::registry {

/// The Error that an answer of status 400 and above means. `what` says what was asked for ("image debian:bookworm");
/// the registry's own reason is passed on, cleaned of what would not print.
Error refusal(const HttpAnswer& answer, const std::string& what, const std::string& registry, bool signed_in);

/// Whether the same request may succeed later: 408, 429 and most of 5xx.
bool is_temporary(int status);
/// How long the answer asks to wait (Retry-After: seconds, or a date).
std::optional<std::chrono::milliseconds> retry_after(const HttpAnswer& answer);

/// Where the next page of a list is (Link, RFC 8288), relative to this one; empty: this is the last.
std::string next_page(const http::Headers& headers);

/// At most `limit` bytes of `text`, on one line, without control characters.
std::string printable(std::string_view text, std::size_t limit = 300);

}  // namespace gantry::registry
