#pragma once

#include <string>
#include <vector>

#include "gantry/oci/image_spec.h"

/// How a cache travels: an image has, in a label, the cache keys of the steps that its layers are.
namespace gantry::build {

struct CachedStep {
  std::string key;
  std::string diff_id;
  std::string created;  ///< RFC 3339
};

/// Those whose layer is not one of the image go no further: they could not be brought back.
void write_cache_label(oci::ImageConfig& config, const std::vector<std::string>& layers,
                       const std::vector<CachedStep>& steps);
/// Empty when the image has no such label. Pure; what is not as it should be is left out.
std::vector<CachedStep> read_cache_label(const oci::ImageConfig& config, const std::vector<std::string>& layers);

}  // namespace gantry::build
