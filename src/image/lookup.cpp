#include <algorithm>

#include "gantry/base/error.h"
#include "gantry/base/json.h"
#include "image_store_impl.h"

namespace gantry::image {
namespace {

constexpr std::size_t kShortestPrefix = 4;
constexpr std::string_view kAlgorithm = "sha256:";

bool is_hex(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string hex_of(std::string_view reference) {
  if (reference.starts_with(kAlgorithm)) reference.remove_prefix(kAlgorithm.size());
  return reference.size() >= kShortestPrefix && reference.size() <= 64 && is_hex(reference) ? std::string(reference)
                                                                                            : "";
}

std::optional<rows::Image> find_by_name(store::Transaction& t, const oci::Reference& reference) {
  if (reference.digest.empty()) return rows::image_by_name(t, reference.canonical());
  auto repository = reference.domain + "/" + reference.path;
  if (auto image = rows::image_by_digest(t, repository, reference.digest)) return image;
  for (const auto& image : rows::images_by_manifest(t, reference.digest))
    for (const auto& name : rows::names_of(t, image.id))
      if (name.starts_with(repository + ":")) return image;
  return std::nullopt;
}

}  // namespace

rows::Image ImageStore::Impl::find(store::Transaction& t, const std::string& reference) const {
  auto hex = hex_of(reference);
  bool only_id = reference.starts_with(kAlgorithm) || hex.size() == 64;
  if (!only_id) {
    if (auto image = find_by_name(t, oci::Reference::parse(reference))) return *image;
  }
  auto fitting = hex.empty() ? std::vector<rows::Image>{} : rows::images_by_prefix(t, hex);
  if (fitting.size() == 1) return fitting.front();
  if (fitting.size() > 1)
    throw Error(ErrorKind::conflict, "image \"" + reference + "\": several ids begin like that", "give more digits");
  std::vector<std::string> names;
  for (const auto& name : rows::all_names(t)) names.push_back(familiar(name));
  throw Error(ErrorKind::not_found, "image \"" + reference + "\" is not on this machine", advice(reference, names));
}

const oci::ImageConfig& ImageStore::Impl::config_of(const std::string& id) const {
  constexpr std::size_t kMost = 64;
  auto known = configs.find(id);
  if (known != configs.end()) return known->second;
  auto config = json::from_text<oci::ImageConfig>(content.read(oci::Digest::parse(id)), "configuration of image " + id);
  if (configs.size() >= kMost) configs.clear();
  return configs[id] = std::move(config);
}

ImageInfo ImageStore::Impl::describe(const std::string& id) const {
  ImageInfo info;
  info.id = id;
  database.transaction([&](store::Transaction& t) {
    auto row = rows::image(t, id);
    if (!row) throw Error(ErrorKind::not_found, "image " + id + " is not there");
    info.digest = row->manifest;
    info.layers = rows::layers_of(t, id);
    info.size = rows::size_of(t, id);
    for (const auto& name : rows::names_of(t, id)) info.references.push_back(familiar(name));
    for (const auto& name : rows::digests_of(t, id)) info.digests.push_back(familiar(name));
    info.tagged = rows::last_named(t, id);
    info.used = rows::last_used(t, id);
  });
  if (auto used = touched_at(id)) info.used = used;
  info.config = config_of(id);
  info.created = from_rfc3339(info.config.created.value_or("")).value_or(Timestamp{});
  return info;
}

}  // namespace gantry::image
