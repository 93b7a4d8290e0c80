#pragma once

#include <string_view>

/// How a layer says what is gone (OCI image specification, layer.md, "Whiteouts").
namespace gantry::image {

inline constexpr std::string_view kWhiteout = ".wh.";            ///< before the name of what is removed
inline constexpr std::string_view kMeta = ".wh..wh.";            ///< aufs' own bookkeeping
inline constexpr std::string_view kOpaqueMark = ".wh..wh..opq";  ///< nothing from below shows in this directory

}  // namespace gantry::image
