#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gantry/build/provenance.h"
#include "gantry/store/store.h"

namespace gantry::build {

/// The provenance of images, by their ids. Blocking; thread-safe.
class BuildRecords {
 public:
  explicit BuildRecords(store::Database& database) : database_(database) {}
  void remember(const std::string& image, const Provenance& provenance);
  std::optional<Provenance> find(const std::string& image) const;
  /// Forgets those of images that are not among `there`.
  void keep_only(const std::vector<std::string>& there);

 private:
  store::Database& database_;
};

}  // namespace gantry::build
