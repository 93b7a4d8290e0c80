#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gantry/oci/digest.h"

namespace gantry::build {

/// A digest over fields. Each carries its length, so that no two lists of fields look alike.
class KeyBuilder {
 public:
  KeyBuilder& add(std::string_view field) {
    hasher_.update(std::to_string(field.size()) + ":");
    hasher_.update(field);
    return *this;
  }
  KeyBuilder& add(const std::vector<std::string>& fields) {
    add(std::to_string(fields.size()));
    for (const auto& field : fields) add(std::string_view(field));
    return *this;
  }
  std::string finish() { return hasher_.finish().str(); }

 private:
  oci::Hasher hasher_;
};

}  // namespace gantry::build
