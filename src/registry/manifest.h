#pragma once

#include <boost/describe.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/oci/image_spec.h"
#include "gantry/registry/platform.h"

/// Manifests and indexes of the OCI image specification 1.1 and of Docker (schema 2), told apart and checked.
namespace gantry::registry {

inline constexpr char kOciIndex[] = "application/vnd.oci.image.index.v1+json";
inline constexpr char kOciManifest[] = "application/vnd.oci.image.manifest.v1+json";
inline constexpr char kOciConfig[] = "application/vnd.oci.image.config.v1+json";
inline constexpr char kDockerList[] = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr char kDockerManifest[] = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr char kDockerConfig[] = "application/vnd.docker.container.image.v1+json";
inline constexpr std::size_t kManifestLimit = 4u << 20;
inline constexpr std::size_t kConfigLimit = 16u << 20;

/// All that we take, for an Accept field.
std::string accepted_manifests();

struct ListedPlatform {
  std::string architecture, os, variant;
};
BOOST_DESCRIBE_STRUCT(ListedPlatform, (), (architecture, os, variant))

struct ListedManifest {
  std::string mediaType, digest;
  std::uint64_t size = 0;
  std::optional<ListedPlatform> platform;
  std::map<std::string, std::string> annotations;
};
BOOST_DESCRIBE_STRUCT(ListedManifest, (), (mediaType, digest, size, platform, annotations))

struct Index {
  std::vector<ListedManifest> manifests;
};
BOOST_DESCRIBE_STRUCT(Index, (), (manifests))

enum class ManifestKind { index, manifest };

/// By its own mediaType, else the Content-Type it came with, else its shape. Error unsupported names what it is
/// instead (schema 1, an artifact).
ManifestKind kind_of_manifest(std::string_view text, std::string_view content_type);

Index parse_index(std::string_view text);
/// Error invalid: digests or sizes that cannot be; unsupported: no image, or layers that are no archives.
oci::Manifest parse_manifest(std::string_view text);

/// The entry for that platform. Error not_found lists the platforms there are.
const ListedManifest& choose(const Index& index, const Platform& wanted);

}  // namespace gantry::registry
