#pragma once

#include <archive_entry.h>
#include <ctime>

#include <cstdint>
#include <string>

/// What every reader of archives asks of a member's numbers. `refuse(why)` throws, and knows the member's name.
namespace gantry::image {

template <class Refuse>
std::uint32_t checked_id(la_int64_t value, const Refuse& refuse) {
  // The largest number means "do not change" to chown.
  if (value < 0 || value >= UINT32_MAX) refuse("its owner " + std::to_string(value) + " is not a user id");
  return static_cast<std::uint32_t>(value);
}

template <class Refuse>
timespec checked_time(::archive_entry* entry, const Refuse& refuse) {
  constexpr std::int64_t kFarthest = 1LL << 40;  // some 35,000 years
  timespec out{archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
  if (out.tv_sec < -kFarthest || out.tv_sec > kFarthest) refuse("its time is farther away than any date");
  return out;
}

}  // namespace gantry::image
