#include "gantry/image/image_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "gantry/base/error.h"
#include "gantry/base/json.h"
#include "gantry/base/log.h"
#include "gantry/image/archive.h"
#include "image_store_impl.h"
#include "layer_tar.h"
#include "unpack.h"

namespace gantry::image {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::milliseconds kProgressEvery{100};

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

// As many bytes as there are, but no more than that: from a pipe nobody knows how many will come.
std::string read_head(int fd, std::size_t most) {
  std::string out(most, '\0');
  std::size_t size = 0;
  while (size < most) {
    ssize_t n = ::read(fd, out.data() + size, most - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("read an archive");
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  out.resize(size);
  return out;
}

std::string canonical_name(const std::string& reference) {
  auto parsed = oci::Reference::parse(reference);
  if (!parsed.digest.empty())
    throw Error(ErrorKind::invalid, "image reference \"" + reference + "\": a name to give cannot have a digest",
                "leave out the part from '@' on");
  return parsed.canonical();
}

}  // namespace

oci::Manifest manifest_of(const std::string& config_text, const std::string& id,
                          const std::vector<rows::Layer>& layers) {
  oci::Manifest manifest;
  manifest.config = {kConfigType, id, config_text.size(), {}};
  for (const auto& layer : layers) manifest.layers.push_back({kLayerType, layer.diff_id, layer.tar_bytes, {}});
  return manifest;
}

ImageStore::ImageStore(store::Database& database, content::ContentStore& content, fs::path layers_dir,
                       fs::path mounts_dir)
    : impl_(std::make_unique<Impl>(database, content, std::move(layers_dir), std::move(mounts_dir))) {}
ImageStore::~ImageStore() = default;

std::shared_ptr<ImageStore::Lease> ImageStore::lease() {
  std::lock_guard lock(impl_->mutex);
  return impl_->leases.make();
}

void ImageStore::hold(Lease& lease, const std::string& diff_id) {
  std::lock_guard lock(impl_->mutex);
  bool damaged = false;
  bool there = impl_->database.transaction([&](store::Transaction& t) {
    damaged = rows::is_damaged(t, diff_id);
    return rows::layer(t, diff_id).has_value();
  });
  if (!there) throw Error(ErrorKind::not_found, "layer " + diff_id + " is not there");
  // Whoever can make it anew does so, and it is replaced.
  if (damaged)
    throw Error(ErrorKind::not_found, "layer " + diff_id + " is damaged", "run 'gantry image verify --repair'");
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
  auto digest = oci::Digest::parse(layer.diff_id);
  bool damaged = database.transaction([&](store::Transaction& t) { return rows::is_damaged(t, layer.diff_id); });
  if (damaged) {
    layers.replace(ingest, digest);
    database.transaction([&](store::Transaction& t) { rows::replace_layer(t, layer); });
  } else {
    layers.publish(ingest, digest);
    database.transaction([&](store::Transaction& t) { rows::insert_layer(t, layer, canonical); });
  }
  if (lease != nullptr) lease->diff_ids.insert(layer.diff_id);
  if (grown) grown();
}

std::string ImageStore::import_layer(int fd, Lease& lease, const ProgressSink& progress) {
  constexpr char kLine[] = "layer";
  auto size = length_of(fd);
  auto head = read_head(fd, Impl::kSmallestImage);
  Impl::NewLayer layer(*impl_, head.size());
  PlainStream stream(fd, counting(progress, kLine, "unpacking", size), &*layer.recipe, std::move(head));
  unpack_tar(stream, *layer.sink, {}, &*layer.recipe);
  report(progress, kLine, "writing to disk");
  auto diff_id = stream.digest().str();
  layer.publish(*impl_, diff_id, stream.size(), lease);
  return diff_id;
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
  if (::rename(upper.c_str(), (ingest.path() / kTree).c_str()) < 0)
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
  std::set<std::string> blobs;
  if (auto packages = config.config.Labels.find(kPackagesLabel); packages != config.config.Labels.end())
    blobs.insert(packages->second);
  std::lock_guard lock(impl_->mutex);
  return impl_->record({json::to_text(config), {}, diff_ids, name, std::move(blobs), name.empty()});
}

ImageInfo ImageStore::adopt_image(const std::string& config, const std::string& manifest,
                                  const std::vector<std::string>& diff_ids, const std::string& reference, Lease& lease,
                                  bool keep) {
  auto name = reference.empty() ? std::string() : canonical_name(reference);
  auto parsed = json::from_text<oci::ImageConfig>(config, "configuration of an image");
  if (parsed.rootfs.diff_ids != diff_ids)
    throw Error(ErrorKind::invalid, "the configuration of the image lists other layers than it came with");
  std::set<std::string> blobs;
  std::lock_guard lock(impl_->mutex);
  // A base image made here brings its list of packages only to the machine it was made on.
  if (auto packages = parsed.config.Labels.find(kPackagesLabel); packages != parsed.config.Labels.end())
    if (impl_->has_blob(packages->second)) blobs.insert(packages->second);
  lease.blobs.insert(oci::Digest::of(config).str());
  return impl_->record({config, manifest, diff_ids, name, std::move(blobs), keep});
}

ImageInfo ImageStore::Impl::record(const NewRecord& image) {
  auto held = database.transaction([&](store::Transaction& t) {
    std::vector<rows::Layer> out;
    for (const auto& diff_id : image.diff_ids) {
      auto layer = rows::layer(t, diff_id);
      if (!layer) throw Error(ErrorKind::not_found, "layer " + diff_id + " is not there");
      out.push_back(*layer);
    }
    return out;
  });
  auto id = content.write(image.config).str();
  auto text = image.manifest.empty() ? json::to_text(manifest_of(image.config, id, held)) : image.manifest;
  auto manifest = content.write(text).str();
  rows::NewImage row{{id, manifest}, image.keep, image.diff_ids, image.blobs};
  row.blobs.insert({id, manifest});
  database.transaction([&](store::Transaction& t) {
    rows::insert_image(t, row);
    rows::set_used(t, id, now());
    write_touched(t);
    if (!image.name.empty()) rows::set_name(t, image.name, id, now());
  });
  return describe(id);
}

bool ImageStore::Impl::has_blob(const std::string& digest) const {
  try {
    return content.has(oci::Digest::parse(digest));
  } catch (const Error&) {
    return false;  // a label says anything
  }
}

void ImageStore::touch(const std::string& id) {
  std::lock_guard lock(impl_->touched_mutex);
  impl_->touched[id] = now();
}

void ImageStore::on_growth(std::function<void()> grown) { impl_->grown = std::move(grown); }

void ImageStore::Impl::write_touched(store::Transaction& t) {
  std::map<std::string, Timestamp> now_written;
  {
    std::lock_guard lock(touched_mutex);
    now_written.swap(touched);
  }
  for (const auto& [id, at] : now_written) rows::set_used(t, id, at);
}

std::optional<Timestamp> ImageStore::Impl::touched_at(const std::string& id) const {
  std::lock_guard lock(touched_mutex);
  auto found = touched.find(id);
  return found == touched.end() ? std::nullopt : std::optional(found->second);
}

void ImageStore::tag(const std::string& source, const std::string& target) {
  auto name = canonical_name(target);
  std::lock_guard lock(impl_->mutex);
  impl_->database.transaction([&](store::Transaction& t) {
    auto id = impl_->find(t, source).id;
    rows::set_name(t, name, id, now());
    rows::set_used(t, id, now());
    impl_->write_touched(t);
  });
}

void ImageStore::set_digest(const std::string& id, const std::string& reference, const std::string& digest) {
  auto parsed = oci::Reference::parse(reference);
  std::lock_guard lock(impl_->mutex);
  impl_->database.transaction([&](store::Transaction& t) {
    rows::set_digest(t, parsed.domain + "/" + parsed.path, oci::Digest::parse(digest).str(), impl_->find(t, id).id);
  });
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
  for (const auto& image : images) {
    try {
      out.push_back(impl_->describe(image.id));
    } catch (const Error& error) {
      log::warn("image {}: {}", image.id, error.message());  // the others are listed all the same
    }
  }
  return out;
}

}  // namespace gantry::image
