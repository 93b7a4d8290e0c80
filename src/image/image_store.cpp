#include "gantry/image/image_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "gantry/base/error.h"
#include "gantry/base/json.h"
#include "gantry/image/archive.h"
#include "image_store_impl.h"
#include "layer_tar.h"

namespace gantry::image {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::milliseconds kProgressEvery{100};
constexpr char kLayerType[] = "application/vnd.oci.image.layer.v1.tar";
constexpr char kConfigType[] = "application/vnd.oci.image.config.v1+json";

// Turns a stream of byte counts into a few messages a second.
std::function<void(std::uint64_t)> counting(const ProgressSink& sink, std::string id, std::string status,
                                            std::uint64_t total) {
  if (!sink) return {};
  auto last = std::make_shared<std::chrono::steady_clock::time_point>();
  return [=](std::uint64_t current) {
    auto at = std::chrono::steady_clock::now();
    if (at - *last < kProgressEvery) return;
    *last = at;
    sink({id, status, current, total});
  };
}

void report(const ProgressSink& sink, const std::string& id, const std::string& status) {
  if (sink) sink({id, status, 0, 0});
}

// The length of what is left to read, when `fd` is a file.
std::uint64_t length_of(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) return 0;
  auto at = ::lseek(fd, 0, SEEK_CUR);
  return at >= 0 && at < info.st_size ? static_cast<std::uint64_t>(info.st_size - at) : 0;
}

oci::Manifest manifest_of(const std::string& config_text, const std::string& id,
                          const std::vector<rows::Layer>& layers) {
  oci::Manifest manifest;
  manifest.config = {kConfigType, id, config_text.size(), {}};
  for (const auto& layer : layers) manifest.layers.push_back({kLayerType, layer.diff_id, layer.tar_bytes, {}});
  return manifest;
}

std::string canonical_name(const std::string& reference) {
  auto parsed = oci::Reference::parse(reference);
  if (!parsed.digest.empty())
    throw Error(ErrorKind::invalid, "image reference \"" + reference + "\": a name to give cannot have a digest",
                "leave out the part from '@' on");
  return parsed.canonical();
}

}  // namespace

ImageStore::ImageStore(store::Database& database, content::ContentStore& content, fs::path layers_dir)
    : impl_(std::make_unique<Impl>(database, content, std::move(layers_dir))) {}
ImageStore::~ImageStore() = default;

std::shared_ptr<ImageStore::Lease> ImageStore::lease() {
  std::lock_guard lock(impl_->mutex);
  return impl_->leases.make();
}

void ImageStore::hold(Lease& lease, const std::string& diff_id) {
  std::lock_guard lock(impl_->mutex);
  bool there = impl_->database.transaction([&](store::Transaction& t) { return rows::layer(t, diff_id).has_value(); });
  if (!there) throw Error(ErrorKind::not_found, "layer " + diff_id + " is not there");
  lease.diff_ids.insert(diff_id);
}

oci::Digest ImageStore::write_blob(std::string_view data, Lease& lease) {
  std::lock_guard lock(impl_->mutex);
  auto digest = impl_->content.write(data);
  lease.blobs.insert(digest.str());
  return digest;
}

fs::path ImageStore::layer_path(const std::string& diff_id) const {
  auto digest = oci::Digest::parse(diff_id);
  bool there = impl_->database.transaction([&](store::Transaction& t) { return rows::layer(t, diff_id).has_value(); });
  if (!there) throw Error(ErrorKind::not_found, "layer " + diff_id + " is not there");
  return impl_->layers.path(digest);
}

void ImageStore::Impl::publish(TemporaryDirectory& ingest, const rows::Layer& layer, bool canonical, Lease* lease) {
  layers.sync(ingest);
  std::lock_guard lock(mutex);
  layers.publish(ingest, oci::Digest::parse(layer.diff_id));
  database.transaction([&](store::Transaction& t) { rows::insert_layer(t, layer, canonical); });
  if (lease != nullptr) lease->diff_ids.insert(layer.diff_id);
}

std::string ImageStore::import_layer(int fd, Lease& lease, const ProgressSink& progress) {
  constexpr char kLine[] = "layer";
  TemporaryDirectory ingest = impl_->layers.ingest();
  fs::path tree = ingest.path() / "fs";
  make_directories(tree, 0755);
  Fd directory = open_file(tree.string(), O_RDONLY | O_DIRECTORY);
  auto unpacked = unpack_archive(fd, directory.get(), {}, counting(progress, kLine, "unpacking", length_of(fd)));
  report(progress, kLine, "writing to disk");
  rows::Layer layer{unpacked.digest.str(), disk_usage(directory.get()), unpacked.bytes};
  impl_->publish(ingest, layer, false, &lease);
  return layer.diff_id;
}

ImageInfo ImageStore::import(int fd, const std::string& reference, oci::ImageConfig config,
                             const ProgressSink& progress) {
  if (!reference.empty()) canonical_name(reference);
  auto held = lease();
  auto diff_id = import_layer(fd, *held, progress);
  if (config.history.empty()) config.history.push_back({.comment = "imported"});
  return commit_image({diff_id}, std::move(config), reference);
}

std::string ImageStore::commit_layer(const fs::path& upper, const ProgressSink& progress, Lease* lease) {
  constexpr char kLine[] = "layer";
  Fd directory = open_file(upper.string(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  clean_upper(directory.get());
  std::uint64_t done = 0;
  auto tell = counting(progress, kLine, "hashing", 0);
  auto tar = write_layer_tar(directory.get(), [&](std::string_view piece) {
    done += piece.size();
    if (tell) tell(done);
  });
  directory.reset();
  TemporaryDirectory ingest = impl_->layers.ingest();
  if (::rename(upper.c_str(), (ingest.path() / "fs").c_str()) < 0)
    throw_errno("move layer directory " + upper.string());
  report(progress, kLine, "writing to disk");
  rows::Layer layer{tar.digest.str(), tar.on_disk, tar.bytes};
  impl_->publish(ingest, layer, true, lease);
  return layer.diff_id;
}

ImageInfo ImageStore::commit_image(const std::vector<std::string>& diff_ids, oci::ImageConfig config,
                                   const std::string& reference) {
  auto name = reference.empty() ? std::string() : canonical_name(reference);
  config.rootfs = {.diff_ids = diff_ids};
  if (!config.created) config.created = to_rfc3339(now());
  auto text = json::to_text(config);

  std::lock_guard lock(impl_->mutex);
  auto& database = impl_->database;
  auto layers = database.transaction([&](store::Transaction& t) {
    std::vector<rows::Layer> out;
    for (const auto& diff_id : diff_ids) {
      auto layer = rows::layer(t, diff_id);
      if (!layer) throw Error(ErrorKind::not_found, "layer " + diff_id + " is not there");
      out.push_back(*layer);
    }
    return out;
  });
  auto id = impl_->content.write(text).str();
  auto manifest = impl_->content.write(json::to_text(manifest_of(text, id, layers))).str();
  rows::NewImage row{{id, manifest}, name.empty(), diff_ids, {id, manifest}};
  if (auto packages = config.config.Labels.find(kPackagesLabel); packages != config.config.Labels.end())
    row.blobs.insert(packages->second);
  database.transaction([&](store::Transaction& t) {
    rows::insert_image(t, row);
    if (!name.empty()) rows::set_name(t, name, id);
  });
  return impl_->describe(id);
}

void ImageStore::tag(const std::string& source, const std::string& target) {
  auto name = canonical_name(target);
  std::lock_guard lock(impl_->mutex);
  impl_->database.transaction([&](store::Transaction& t) { rows::set_name(t, name, impl_->find(t, source).id); });
}

ImageInfo ImageStore::resolve(const std::string& reference) const {
  std::lock_guard lock(impl_->mutex);
  auto id = impl_->database.transaction([&](store::Transaction& t) { return impl_->find(t, reference).id; });
  return impl_->describe(id);
}

std::vector<ImageInfo> ImageStore::list() const {
  std::lock_guard lock(impl_->mutex);
  auto images = impl_->database.transaction([](store::Transaction& t) { return rows::all_images(t); });
  std::vector<ImageInfo> out;
  for (const auto& image : images) out.push_back(impl_->describe(image.id));
  return out;
}

}  // namespace gantry::image
