#pragma once

#include <string>

namespace gantry::oci {

/// OCI image specification, image-index.md, "platform": what an image runs on.
struct Platform {
  std::string os = "linux";
  std::string architecture;
  std::string variant;
  /// Of this machine.
  static Platform current();
  /// "linux/arm/v7"
  std::string str() const;
};

}  // namespace gantry::oci
