#include "manifest.h"

#include <algorithm>
#include <array>
#include <set>

#include "answers.h"
#include "gantry/base/error.h"
#include "gantry/base/json.h"
#include "gantry/oci/digest.h"

namespace gantry::registry {
namespace {

constexpr std::size_t kMostLayers = 512;  // overlayfs takes 500
constexpr std::uint64_t kLargestBlob = 1ull << 40;
constexpr char kReferenceType[] = "vnd.docker.reference.type";  // attestations that BuildKit lists as manifests

constexpr std::array<std::string_view, 10> kLayerTypes{
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
};

struct Head {
  std::optional<int> schemaVersion;
  std::string mediaType;
  std::optional<json::bj::value> manifests, layers, fsLayers;
};
BOOST_DESCRIBE_STRUCT(Head, (), (schemaVersion, mediaType, manifests, layers, fsLayers))

[[noreturn]] void not_an_image(const std::string& what) {
  throw Error(ErrorKind::unsupported, "this is no container image: " + what,
              "pull an image; charts and other artifacts have tools of their own");
}

void check_descriptor(const oci::Descriptor& descriptor, const char* what) {
  oci::Digest::parse(descriptor.digest);
  if (descriptor.size > kLargestBlob)
    throw Error(ErrorKind::invalid, std::string("manifest: ") + what + " " + descriptor.digest + " of " +
                                        std::to_string(descriptor.size) + " bytes is larger than any can be");
}

std::string base_type(std::string_view type) {
  auto end = type.find(';');
  type = type.substr(0, end);
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  return std::string(type);
}

}  // namespace

std::string accepted_manifests() {
  return std::string(kOciIndex) + ", " + kDockerList + ", " + kOciManifest + ", " + kDockerManifest;
}

ManifestKind kind_of_manifest(std::string_view text, std::string_view content_type) {
  auto head = json::from_text<Head>(text, "manifest");
  auto type = head.mediaType.empty() ? base_type(content_type) : head.mediaType;
  if (type == kOciIndex || type == kDockerList) return ManifestKind::index;
  if (type == kOciManifest || type == kDockerManifest) return ManifestKind::manifest;
  if (head.schemaVersion == 1 || head.fsLayers)
    throw Error(ErrorKind::unsupported, "the image is in Docker's first format (schema 1), which was given up in 2017",
                "push it again with a tool of today");
  if (head.mediaType.empty() && head.manifests) return ManifestKind::index;
  if (head.mediaType.empty() && head.layers) return ManifestKind::manifest;
  not_an_image("its manifest is of the type \"" + printable(type, 120) + "\"");
}

Index parse_index(std::string_view text) {
  auto index = json::from_text<Index>(text, "index");
  for (const auto& entry : index.manifests) {
    oci::Digest::parse(entry.digest);
    if (entry.size > kManifestLimit)
      throw Error(ErrorKind::invalid, "index: the manifest " + entry.digest + " is larger than a manifest may be");
  }
  return index;
}

oci::Manifest parse_manifest(std::string_view text) {
  auto manifest = json::from_text<oci::Manifest>(text, "manifest");
  const auto& config = manifest.config;
  if (config.mediaType != kOciConfig && config.mediaType != kDockerConfig)
    not_an_image("its configuration is of the type \"" + printable(config.mediaType, 120) + "\"");
  check_descriptor(config, "the configuration");
  if (config.size > kConfigLimit)
    throw Error(ErrorKind::invalid, "manifest: the configuration is larger than a configuration may be");
  if (manifest.layers.size() > kMostLayers)
    throw Error(ErrorKind::unsupported, "the image has " + std::to_string(manifest.layers.size()) +
                                            " layers; the kernel stacks no more than " + std::to_string(kMostLayers));
  for (const auto& layer : manifest.layers) {
    if (std::find(kLayerTypes.begin(), kLayerTypes.end(), layer.mediaType) == kLayerTypes.end())
      throw Error(ErrorKind::unsupported,
                  "the layer " + layer.digest + " is of the type \"" + printable(layer.mediaType, 120) + "\"",
                  "Gantry takes tar, tar+gzip and tar+zstd; encrypted and other layers it does not");
    check_descriptor(layer, "the layer");
  }
  return manifest;
}

const ListedManifest& choose(const Index& index, const Platform& wanted) {
  const ListedManifest* best = nullptr;
  int best_fit = 0;
  std::set<std::string> offered;
  for (const auto& entry : index.manifests) {
    if (entry.annotations.contains(kReferenceType)) continue;
    int fits = 1;  // without a platform: taken when there is nothing better, its configuration says what it is
    if (entry.platform) {
      Platform platform{entry.platform->os, entry.platform->architecture, entry.platform->variant};
      fits = fit(wanted, platform);
      offered.insert(printable(platform.str(), 60));
    }
    if (fits <= best_fit) continue;
    best = &entry;
    best_fit = fits;
  }
  if (best != nullptr) return *best;
  std::string list;
  for (const auto& platform : offered) list += (list.empty() ? "" : ", ") + platform;
  throw Error(ErrorKind::not_found, "there is no image for " + wanted.str(),
              list.empty() ? "the index is empty" : "there are images for " + list);
}

}  // namespace gantry::registry
