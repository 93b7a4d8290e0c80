#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <filesystem>
#include <memory>
#include <optional>

#include "gantry/base/files.h"
#include "gantry/content/content_store.h"
#include "gantry/distribution/distribution.h"

namespace gantry::distribution {

/// The code of the RegistryError that `action` throws.
template <class F>
std::optional<Code> code_of(F action) {
  try {
    action();
  } catch (const RegistryError& error) {
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return std::nullopt;
}

inline constexpr char kImage[] = "application/vnd.oci.image.manifest.v1+json";
inline constexpr char kList[] = "application/vnd.oci.image.index.v1+json";

/// A registry of its own, on a store and an image store of its own.
class Fixture : public ::testing::Test {
 protected:
  Fixture() { start(); }
  /// As after the end of the process: what is kept is read again.
  void start() {
    registry_.reset();
    registry_ = std::make_unique<Distribution>(database_, images_, options_);
    registry_->recover();
  }

  std::string push_blob(const std::string& repository, const std::string& data) {
    auto digest = oci::Digest::of(data).str();
    auto id = registry_->begin_upload(repository);
    registry_->append(repository, id, 0, data);
    registry_->finish_upload(repository, id, digest);
    return digest;
  }
  static boost::json::object descriptor(const std::string& type, const std::string& digest) {
    return {{"mediaType", type}, {"digest", digest}, {"size", 2}};
  }
  /// An image of the configuration "{}" and one layer. `more`: further members.
  std::string image(const std::string& layer, const boost::json::object& more = {}) const {
    boost::json::object out{
        {"schemaVersion", 2},
        {"mediaType", kImage},
        {"config", descriptor("application/vnd.oci.image.config.v1+json", oci::Digest::of("{}").str())},
        {"layers", boost::json::array{descriptor("application/vnd.oci.image.layer.v1.tar", layer)}}};
    for (const auto& [key, value] : more) out[key] = value;
    return boost::json::serialize(out);
  }
  static std::string index(const std::vector<std::string>& digests) {
    boost::json::array list;
    for (const auto& digest : digests) list.push_back(descriptor(kImage, digest));
    return boost::json::serialize(
        boost::json::object{{"schemaVersion", 2}, {"mediaType", kList}, {"manifests", std::move(list)}});
  }
  /// Its digest. An empty reference: by digest.
  std::string put(const std::string& repository, const std::string& reference, const std::string& text,
                  const std::string& type = kImage) {
    auto digest = oci::Digest::of(text).str();
    registry_->put_manifest(repository, reference.empty() ? digest : reference, type, text);
    return digest;
  }
  /// An image with a layer of that content, with what it needs.
  std::string push_image(const std::string& repository, const std::string& tag, const std::string& content,
                         const boost::json::object& more = {}) {
    push_blob(repository, "{}");
    return put(repository, tag, image(push_blob(repository, content), more));
  }
  boost::json::object about(const std::string& digest) const { return {{"subject", descriptor(kImage, digest)}}; }
  bool has(const std::string& repository, const std::string& reference) {
    try {
      registry_->manifest(repository, reference);
      return true;
    } catch (const RegistryError&) {
      return false;
    }
  }
  std::size_t files() const {
    std::size_t out = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(options_.root))
      out += entry.is_regular_file();
    return out;
  }

  TemporaryDirectory dir_{std::filesystem::temp_directory_path(), "gantry-distribution-"};
  store::Database database_{dir_.path() / "db", {image::schema(), schema()}};
  content::ContentStore content_{dir_.path() / "content"};
  image::ImageStore images_{database_, content_, dir_.path() / "layers"};
  Options options_{.root = dir_.path() / "registry", .immutable = {"team/*:v*"}};
  std::unique_ptr<Distribution> registry_;
};

}  // namespace gantry::distribution
