#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gantry/disk/usage.h"

/// What goes first when a budget is reached. Pure.
namespace gantry::disk {

/// Not long enough unused yet to be collected.
inline constexpr std::chrono::minutes kFresh{2};
inline constexpr std::chrono::hours kUnnamedKept{1};
inline constexpr std::chrono::hours kOwnKept{24 * 7};

struct Candidate {
  std::string id;
  std::string name;
};
struct NextImage {
  std::optional<Candidate> candidate;
  bool later = false;  ///< there is one that is only too fresh yet
};

/// The image to be removed next: never one that a container has. First what has no name, then what a registry has,
/// each by last use; what was made here and is nowhere else only when it has not been used for a week.
NextImage next_image(const std::vector<ImageUse>& images, Timestamp now);

/// What the budget allows for something that takes `used` now, so that a reserve of the file system stays free whatever
/// else fills it.
std::optional<std::uint64_t> within_reserve(std::optional<std::uint64_t> budget, std::uint64_t used,
                                            const FileSystem& file_system);

/// Where a collection stops: below the budget, so that the next one is not due at once.
std::uint64_t target_of(std::uint64_t budget);

}  // namespace gantry::disk
