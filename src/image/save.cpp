#include <algorithm>
#include <map>

#include "gantry/base/error.h"
#include "gantry/base/json.h"
#include "image_store_impl.h"
#include "tar_entry.h"

// The layout is Docker's since version 25 (moby, image/tarexport): one tar that readers of docker-archives find
// manifest.json in, and readers of OCI layouts index.json. Blobs are files blobs/sha256/<hex>.
namespace gantry::image {
namespace {

constexpr char kNameAnnotation[] = "io.containerd.image.name";
constexpr char kTagAnnotation[] = "org.opencontainers.image.ref.name";
constexpr char kManifestType[] = "application/vnd.oci.image.manifest.v1+json";

std::string blob_path(const std::string& digest) { return "blobs/sha256/" + digest.substr(7); }

bool has_tag(const std::string& reference) {
  auto slash = reference.rfind('/');
  return reference.find(':', slash == std::string::npos ? 0 : slash) != std::string::npos;
}

class TarSink {
 public:
  explicit TarSink(const std::function<void(std::string_view)>& sink) : sink_(sink) {}

  void directory(const std::string& path) { sink_(tar_header({.path = path, .type = '5', .mode = 0755})); }
  void file(const std::string& path, std::string_view content) {
    begin(path, content.size());
    sink_(content);
    sink_(tar_padding(content.size()));
  }
  void begin(const std::string& path, std::uint64_t size) {
    sink_(tar_header({.path = path, .mode = 0644, .size = size}));
  }
  void piece(std::string_view content) { sink_(content); }
  void end_file(std::uint64_t size) { sink_(tar_padding(size)); }
  void end() { sink_(tar_end()); }

 private:
  const std::function<void(std::string_view)>& sink_;
};

json::bj::object descriptor(const std::string& type, const std::string& digest, std::uint64_t size) {
  return {{"mediaType", type}, {"digest", digest}, {"size", size}};
}

/// What the tar says about its images; the blobs are written before.
class Catalogue {
 public:
  void add(const Chosen& chosen, const oci::Manifest& manifest, const std::string& text) {
    json::bj::object entry, sources;
    json::bj::array tags, layers;
    for (const auto& layer : manifest.layers) {
      layers.emplace_back(blob_path(layer.digest));
      sources[layer.digest] = descriptor(layer.mediaType, layer.digest, layer.size);
    }
    for (const auto& name : chosen.names) {
      auto parsed = oci::Reference::parse(name);
      tags.emplace_back(parsed.familiar());
      auto repository = parsed.familiar();
      repository.erase(repository.size() - parsed.tag.size() - 1);
      if (!manifest.layers.empty()) repositories_[repository][parsed.tag] = manifest.layers.back().digest.substr(7);
    }
    entry["Config"] = blob_path(manifest.config.digest);
    entry["RepoTags"] = tags.empty() ? json::bj::value(nullptr) : json::bj::value(tags);
    entry["Layers"] = std::move(layers);
    entry["LayerSources"] = std::move(sources);
    entries_.push_back(std::move(entry));
    index(chosen, text);
  }

  void write(TarSink& tar) const {
    json::bj::object index{
        {"schemaVersion", 2}, {"mediaType", "application/vnd.oci.image.index.v1+json"}, {"manifests", manifests_}};
    tar.file("index.json", json::bj::serialize(index));
    tar.file("manifest.json", json::bj::serialize(entries_));
    tar.file("oci-layout", R"({"imageLayoutVersion": "1.0.0"})");
    if (!repositories_.empty()) tar.file("repositories", json::to_text(repositories_));
  }

 private:
  void index(const Chosen& chosen, const std::string& text) {
    auto entry = descriptor(kManifestType, oci::Digest::of(text).str(), text.size());
    if (chosen.names.empty()) manifests_.push_back(entry);
    for (const auto& name : chosen.names) {
      auto named = entry;
      named["annotations"] =
          json::bj::object{{kNameAnnotation, name}, {kTagAnnotation, oci::Reference::parse(name).tag}};
      manifests_.push_back(std::move(named));
    }
  }

  json::bj::array entries_;
  json::bj::array manifests_;
  std::map<std::string, std::map<std::string, std::string>> repositories_;
};

}  // namespace

namespace {

// All tags of the repository that `reference` names without a tag; nothing when it is not such a name.
std::vector<std::string> tags_of_repository(store::Transaction& t, const std::string& reference) {
  std::vector<std::string> out;
  if (has_tag(reference) || reference.find('@') != std::string::npos) return out;
  std::string prefix;
  try {
    auto parsed = oci::Reference::parse(reference);
    prefix = parsed.domain + "/" + parsed.path + ":";
  } catch (const Error&) {
    return out;  // an id
  }
  for (auto& name : rows::all_names(t))
    if (name.starts_with(prefix)) out.push_back(std::move(name));
  return out;
}

std::vector<std::string> names_meant(store::Transaction& t, const std::string& reference, const std::string& id) {
  if (has_tag(reference) && !reference.starts_with("sha256:") && reference.find('@') == std::string::npos) {
    auto canonical = oci::Reference::parse(reference).canonical();
    for (const auto& name : rows::names_of(t, id))
      if (name == canonical) return {canonical};
  }
  return {};
}

void add_names(std::vector<std::string>& to, const std::vector<std::string>& names) {
  for (const auto& name : names)
    if (std::find(to.begin(), to.end(), name) == to.end()) to.push_back(name);
}

}  // namespace

// Under the mutex: what of these is meant, in order, each image once.
std::vector<Chosen> ImageStore::Impl::choose(const std::vector<std::string>& references) const {
  std::vector<Chosen> images;
  std::map<std::string, std::size_t> position;
  auto add = [&](const std::string& id, const std::vector<std::string>& names) {
    auto [at, fresh] = position.try_emplace(id, images.size());
    if (fresh) images.push_back({describe(id), {}});
    add_names(images[at->second].names, names);
  };
  for (const auto& reference : references) {
    auto tags = database.transaction([&](auto& t) { return tags_of_repository(t, reference); });
    for (const auto& name : tags)
      add(database.transaction([&](auto& t) { return rows::image_by_name(t, name)->id; }), {name});
    if (!tags.empty()) continue;
    auto id = database.transaction([&](auto& t) { return find(t, reference).id; });
    add(id, database.transaction([&](auto& t) { return names_meant(t, reference, id); }));
  }
  return images;
}

std::map<std::string, std::string> ImageStore::describe_saved(const std::string& reference) const {
  std::lock_guard lock(impl_->mutex);
  std::map<std::string, std::string> out;
  for (const auto& image : impl_->choose({reference}))
    out[image.info.id] = image.names.empty() ? image.info.id : oci::Reference::parse(image.names.front()).familiar();
  return out;
}

void ImageStore::save(const std::vector<std::string>& references, const std::function<void(std::string_view)>& sink) {
  auto held = lease();
  std::vector<Chosen> images;
  {
    std::lock_guard lock(impl_->mutex);
    images = impl_->choose(references);
    for (const auto& image : images) {
      held->diff_ids.insert(image.info.layers.begin(), image.info.layers.end());
      held->blobs.insert(image.info.id);
    }
  }
  TarSink tar(sink);
  Catalogue catalogue;
  std::set<std::string> written;
  tar.directory("blobs/");
  tar.directory("blobs/sha256/");
  for (const auto& image : images) {
    std::vector<rows::Layer> layers;
    for (const auto& diff_id : image.info.layers) {
      auto bytes = layer_bytes(diff_id);
      layers.push_back({diff_id, 0, bytes});
      if (!written.insert(diff_id).second) continue;
      tar.begin(blob_path(diff_id), bytes);
      write_layer(diff_id, [&](std::string_view piece) { tar.piece(piece); });
      tar.end_file(bytes);
    }
    auto config = impl_->content.read(oci::Digest::parse(image.info.id));
    if (written.insert(image.info.id).second) tar.file(blob_path(image.info.id), config);
    auto manifest = manifest_of(config, image.info.id, layers);
    auto text = json::to_text(manifest);
    tar.file(blob_path(oci::Digest::of(text).str()), text);
    catalogue.add(image, manifest, text);
  }
  catalogue.write(tar);
  tar.end();
}

}  // namespace gantry::image
