#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>

#include "gantry/runtime/runtime.h"

/// Every container with a user namespace of its own gets 65536 host ids of its own, so that no two containers share an
/// owner on the host.
///
/// The ranges lie in [0x70000000, 0x7ffe0000): above what systemd hands out to its containers (0x00080000-0x6fffffff)
/// and below its range for foreign images (0x7ffe0000-0x7ffeffff), both from systemd's UIDS-GIDS.md; above what
/// useradd puts into /etc/subuid and /etc/subgid (SUB_UID_MIN 100000 to SUB_UID_MAX 600100000, login.defs(5)); and
/// below 2^31, where programs that keep ids in signed numbers break. That makes 4094 ranges.
namespace gantry::engine {

inline constexpr std::uint32_t kFirstHostId = 0x70000000;
inline constexpr std::uint32_t kIdsOfRange = 65536;
inline constexpr std::int64_t kIdSlots = 4096 - 2;

runtime::IdRange id_range(std::int64_t slot);

/// A slot not in `used`, searched from a place that follows from `instance`, so that several gantryd on one machine
/// usually do not meet. Error exhausted when all are taken.
std::int64_t choose_id_slot(const std::set<std::int64_t>& used, std::string_view instance);

}  // namespace gantry::engine
