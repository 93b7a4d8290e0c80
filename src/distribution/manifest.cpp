#include "manifest.h"

#include <array>

#include "gantry/base/json.h"
#include "gantry/distribution/error.h"
#include "names.h"

namespace gantry::distribution {
namespace {

namespace bj = boost::json;
constexpr std::size_t kMostReferences = 10'000;

constexpr std::array<std::string_view, 2> kIndexes{"application/vnd.oci.image.index.v1+json",
                                                   "application/vnd.docker.distribution.manifest.list.v2+json"};
constexpr std::array<std::string_view, 2> kManifests{"application/vnd.oci.image.manifest.v1+json",
                                                     "application/vnd.docker.distribution.manifest.v2+json"};

bool contains(const auto& list, std::string_view item) { return std::ranges::find(list, item) != list.end(); }

[[noreturn]] void refuse(const std::string& why) {
  throw RegistryError(Code::MANIFEST_INVALID, ErrorKind::invalid, "the manifest " + why);
}

std::string text_of(const bj::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  if (value == nullptr) return {};
  if (!value->is_string()) refuse("has a '" + std::string(key) + "' that is no text");
  return std::string(value->get_string());
}

const bj::object& descriptor(const bj::value& value) {
  if (!value.is_object()) refuse("has a descriptor that is no object");
  const auto& object = value.get_object();
  const auto* size = object.if_contains("size");
  if (size == nullptr || !size->is_number()) refuse("has a descriptor without a size");
  return object;
}

std::string digest_in(const bj::value& value) { return require_digest(text_of(descriptor(value), "digest")).str(); }

// Layers with addresses of their own (Windows' foreign layers) are fetched from there.
bool is_elsewhere(const bj::value& layer) {
  const auto* urls = layer.get_object().if_contains("urls");
  return urls != nullptr && urls->is_array() && !urls->get_array().empty();
}

const bj::array* array_in(const bj::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) refuse("has '" + std::string(key) + "' that are no list");
  if (value->get_array().size() > kMostReferences) refuse("names more than 10000 parts");
  return &value->get_array();
}

void read_image(const bj::object& object, ParsedManifest& out) {
  const auto* config = object.if_contains("config");
  if (config == nullptr) refuse("has no config");
  out.blobs.push_back(digest_in(*config));
  if (out.artifact_type.empty()) out.artifact_type = text_of(config->get_object(), "mediaType");
  const auto* layers = array_in(object, "layers");
  if (layers == nullptr) refuse("has no layers");
  for (const auto& layer : *layers) {
    auto digest = digest_in(layer);
    if (!is_elsewhere(layer)) out.blobs.push_back(std::move(digest));
  }
}

void read_index(const bj::object& object, ParsedManifest& out) {
  const auto* list = array_in(object, "manifests");
  if (list == nullptr) refuse("has no manifests");
  for (const auto& entry : *list) out.manifests.push_back(digest_in(entry));
}

std::string media_type_of(const bj::object& object, std::string content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ')) content_type.pop_back();
  auto own = text_of(object, "mediaType");
  if (own.empty()) own = content_type;
  if (!content_type.empty() && own != content_type) refuse("says it is " + own + ", and was sent as " + content_type);
  return own;
}

}  // namespace

ParsedManifest parse_manifest(std::string_view text, const std::string& content_type) {
  bj::value value;
  try {
    value = json::parse(text, "manifest");
  } catch (const Error& error) {
    refuse("is no JSON: " + error.message());
  }
  if (!value.is_object()) refuse("is no object");
  const auto& object = value.get_object();
  const auto* version = object.if_contains("schemaVersion");
  if (version == nullptr || !version->is_int64() || version->get_int64() != 2) refuse("has not the schemaVersion 2");
  ParsedManifest out;
  out.media_type = media_type_of(object, content_type);
  out.index = contains(kIndexes, out.media_type);
  if (!out.index && !contains(kManifests, out.media_type))
    refuse("has the media type '" + out.media_type + "', which is not known here");
  out.artifact_type = text_of(object, "artifactType");
  out.index ? read_index(object, out) : read_image(object, out);
  if (const auto* subject = object.if_contains("subject"); subject != nullptr && !subject->is_null())
    out.subject = digest_in(*subject);
  if (const auto* annotations = object.if_contains("annotations");
      annotations != nullptr && annotations->is_object() && !annotations->get_object().empty())
    out.annotations = bj::serialize(*annotations);
  return out;
}

}  // namespace gantry::distribution
