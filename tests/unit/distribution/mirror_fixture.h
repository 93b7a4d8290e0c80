#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/files.h"
#include "gantry/distribution/mirror.h"

namespace gantry::distribution::test {

constexpr char kManifestType[] = "application/vnd.oci.image.manifest.v1+json";
constexpr char kIndexType[] = "application/vnd.oci.image.index.v1+json";

inline std::string digest_of(const std::string& text) { return oci::Digest::of(text).str(); }

inline std::string descriptor(const std::string& type, const std::string& content) {
  return R"({"mediaType":")" + type + R"(","digest":")" + digest_of(content) + R"(","size":)" +
         std::to_string(content.size()) + "}";
}
inline std::string manifest_of(const std::string& config, const std::vector<std::string>& layers) {
  std::string list;
  for (const auto& layer : layers) list += (list.empty() ? "" : ",") + descriptor("application/octet-stream", layer);
  return std::string(R"({"schemaVersion":2,"mediaType":")") + kManifestType + R"(","config":)" +
         descriptor("application/vnd.oci.image.config.v1+json", config) + R"(,"layers":[)" + list + "]}";
}

/// A registry in memory, with everything that may be wrong with one.
class FakeUpstream : public Upstream {
 public:
  /// Gives `repository` an image; returns the digest of its manifest.
  std::string put(const std::string& repository, const std::string& tag, const std::vector<std::string>& layers) {
    auto config = "{\"of\":\"" + repository + ":" + tag + "\"}";
    auto text = manifest_of(config, layers);
    std::lock_guard lock(mutex_);
    for (const auto& blob : layers) blobs_[{repository, digest_of(blob)}] = blob;
    blobs_[{repository, digest_of(config)}] = config;
    manifests_[{repository, digest_of(text)}] = text;
    tags_[{repository, tag}] = digest_of(text);
    return digest_of(text);
  }
  void drop_tag(const std::string& repository, const std::string& tag) { tags_.erase({repository, tag}); }
  void lie_about(const std::string& repository, const std::string& blob) {
    blobs_[{repository, digest_of(blob)}] = std::string(blob.size(), '!');
  }

  std::optional<ErrorKind> fails;  ///< everything
  std::atomic<int> heads = 0, documents = 0, sizes = 0, fetches = 0;
  /// Called before every piece of a blob.
  std::function<void(std::size_t sent)> before_piece;

  std::optional<std::string> digest_of(const std::string& repository, const std::string& tag) override {
    ++heads;
    check();
    return find(tags_, repository, tag);
  }
  Document manifest(const std::string& repository, const std::string& reference) override {
    ++documents;
    check();
    auto digest = reference.find(':') == std::string::npos ? find(tags_, repository, reference) : reference;
    return {kManifestType, find(manifests_, repository, digest)};
  }
  std::uint64_t blob_size(const std::string& repository, const std::string& digest) override {
    ++sizes;
    check();
    return find(blobs_, repository, digest).size();
  }
  void fetch(const std::string& repository, const std::string& digest, std::uint64_t,
             const std::function<void(std::string_view)>& take) override {
    ++fetches;
    check();
    auto blob = find(blobs_, repository, digest);
    constexpr std::size_t kPiece = 100'000;
    for (std::size_t at = 0; at < blob.size(); at += kPiece) {
      if (before_piece) before_piece(at);
      check();
      take(std::string_view(blob).substr(at, kPiece));
    }
  }
  std::vector<std::string> tags(const std::string& repository) override {
    check();
    std::vector<std::string> out;
    for (const auto& [key, digest] : tags_)
      if (key.first == repository) out.push_back(key.second);
    return out;
  }
  void stop() override { stopped_ = true; }

 private:
  static std::string digest_of(const std::string& text) { return test::digest_of(text); }
  using Map = std::map<std::pair<std::string, std::string>, std::string>;
  std::string find(const Map& map, const std::string& repository, const std::string& key) {
    std::lock_guard lock(mutex_);
    auto found = map.find({repository, key});
    if (found == map.end()) throw Error(ErrorKind::not_found, "the registry answers 404");
    return found->second;
  }
  void check() const {
    if (stopped_) throw Error(ErrorKind::cancelled, "the transfer was stopped");
    if (fails) throw Error(*fails, "the registry is not well");
  }
  std::mutex mutex_;
  Map manifests_, blobs_, tags_;
  std::atomic<bool> stopped_ = false;
};

/// A registry inside, with a mirror of docker.io.
struct Machine {
  explicit Machine(MirrorOptions mirror_options = {.ttl = std::chrono::seconds(0),
                                                   .down_pause = std::chrono::seconds(0)})
      : mirror(registry, {{"docker.io", "docker.io", "https://hub.example", upstream}}, mirror_options) {
    registry.recover();
    mirror.recover();
  }

  TemporaryDirectory dir{std::filesystem::temp_directory_path(), "gantry-distribution-"};
  store::Database database{dir.path() / "db", {image::schema(), schema()}};
  content::ContentStore content{dir.path() / "content"};
  image::ImageStore images{database, content, dir.path() / "layers"};
  std::shared_ptr<image::Vouchers> vouchers = std::make_shared<image::Vouchers>();
  Distribution registry{database, images, {.root = dir.path() / "registry", .immutable = {}, .vouchers = vouchers}};
  std::shared_ptr<FakeUpstream> upstream = std::make_shared<FakeUpstream>();
  Mirror mirror;

  std::string upload(const std::string& repository, const std::string& data) {
    auto id = registry.begin_upload(repository);
    registry.append(repository, id, 0, data);
    registry.finish_upload(repository, id, digest_of(data));
    return digest_of(data);
  }
  Place place(const std::string& repository) { return mirror.find(repository).value(); }
  Served get(const std::string& repository, const std::string& reference) {
    auto at = place(repository);
    if (auto here = mirror.stored_manifest(at, reference)) return *here;
    return mirror.manifest(at, reference);
  }
  std::string read(const std::string& repository, const std::string& blob) {
    auto at = place(repository);
    auto here = mirror.stored_blob(at, blob);
    return all_of(here ? std::move(*here) : mirror.blob(at, blob));
  }
  static std::string all_of(const Blob& blob) {
    if (blob.file()) return read_to_end(blob.file()->get(), "blob");
    std::string out;
    blob.produce()(0, blob.size(), [&](std::string_view piece) { out += piece; });
    return out;
  }
  void run(const std::string& sql) {
    database.transaction([&](store::Transaction& t) { t.run(sql); });
  }
  std::size_t files() const {
    std::size_t out = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path() / "registry"))
      out += entry.is_regular_file();
    return out;
  }
};

template <class F>
RegistryError refusal_of(F action) {
  try {
    action();
  } catch (const RegistryError& error) {
    return error;
  }
  ADD_FAILURE() << "expected a refusal";
  return RegistryError(Code::UNKNOWN, ErrorKind::internal, "none");
}

}  // namespace gantry::distribution::test
