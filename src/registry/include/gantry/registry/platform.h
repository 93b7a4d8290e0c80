#pragma once

#include <boost/describe.hpp>

#include <string>
#include <string_view>

namespace gantry::registry {

/// What an image runs on, in Go's words ("linux", "amd64", "arm64", variant "v8"), normalised.
struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;  ///< empty: none, or any

  /// "linux/arm64/v8", "linux/amd64", "arm64". Error invalid.
  static Platform parse(std::string_view text);
  /// This machine.
  static Platform host();
  std::string str() const;
  bool operator==(const Platform&) const = default;
};

/// How well an image for `offered` serves who wants `wanted`: 0 not at all, more is better.
int fit(const Platform& wanted, const Platform& offered);

}  // namespace gantry::registry
