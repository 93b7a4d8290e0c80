#include "id_range.h"

#include <functional>

#include "gantry/base/error.h"

namespace gantry::engine {

runtime::IdRange id_range(std::int64_t slot) {
  return {.host = kFirstHostId + static_cast<std::uint32_t>(slot) * kIdsOfRange, .size = kIdsOfRange};
}

std::int64_t choose_id_slot(const std::set<std::int64_t>& used, std::string_view instance) {
  auto start = static_cast<std::int64_t>(std::hash<std::string_view>{}(instance) % static_cast<std::size_t>(kIdSlots));
  for (std::int64_t i = 0; i < kIdSlots; ++i)
    if (auto slot = (start + i) % kIdSlots; !used.contains(slot)) return slot;
  throw Error(ErrorKind::exhausted, "all " + std::to_string(kIdSlots) + " user id ranges are taken by containers",
              "remove containers that are not needed, with 'gantry rm'");
}

}  // namespace gantry::engine
