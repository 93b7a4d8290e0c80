#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace gantry {

/// Wall-clock time with nanoseconds; what is stored and shown. Never used to measure.
using Timestamp = std::chrono::sys_time<std::chrono::nanoseconds>;
using Duration = std::chrono::nanoseconds;

Timestamp now();
/// RFC 3339 in UTC with nanoseconds: 2026-11-21T08:30:00.123456789Z.
std::string to_rfc3339(Timestamp time);
std::optional<Timestamp> from_rfc3339(std::string_view text);

/// Compose and Go durations: "1m30s", "500ms", "2h". A bare number is not a duration. nullopt when malformed.
std::optional<Duration> parse_duration(std::string_view text);
/// The shortest such form: "1m30s".
std::string to_string(Duration duration);
/// For people: "3 minutes", "2 hours", "5 days".
std::string about(Duration duration);

/// Compose sizes: "512", "64k", "64kb", "128m", "1g" (powers of 1024, any case). nullopt when malformed.
std::optional<std::uint64_t> parse_bytes(std::string_view text);
/// For people: "12.3 MB" (powers of 1000, as docker prints).
std::string human_bytes(std::uint64_t bytes);

}  // namespace gantry
