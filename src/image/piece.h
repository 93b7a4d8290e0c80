#pragma once

#include <cstddef>

namespace gantry::image {

/// What is read, compared or handed on at once, in bytes.
inline constexpr std::size_t kPiece = 256u << 10;

}  // namespace gantry::image
