#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What a registry needs to know of a manifest or index (OCI image specification 1.1, Docker schema 2).
namespace gantry::distribution {

struct ParsedManifest {
  std::string media_type;
  bool index = false;
  std::vector<std::string> blobs;      ///< digests it needs
  std::vector<std::string> manifests;  ///< digests of what an index lists
  std::optional<std::string> subject;
  std::string artifact_type;  ///< as the referrers list says it
  std::string annotations;    ///< JSON object, or empty
};

/// Throws RegistryError MANIFEST_INVALID with what is wrong.
ParsedManifest parse_manifest(std::string_view text, const std::string& content_type);

}  // namespace gantry::distribution
