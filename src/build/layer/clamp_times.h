#pragma once

#include <cstdint>
#include <filesystem>

namespace gantry::build {

/// Everything in the tree, its root too, that is newer than `seconds` since 1970 becomes that old.
/// Links are not followed.
void clamp_times(const std::filesystem::path& root, std::int64_t seconds);

}  // namespace gantry::build
