#include "gantry/image/check.h"

#include <algorithm>
#include <chrono>

#include "gantry/base/error.h"
#include "gantry/base/json.h"
#include "gantry/base/log.h"
#include "image_store_impl.h"
#include "layer_check.h"

namespace gantry::image {
namespace {

constexpr std::size_t kMostFiles = 100;  // of one layer in a report
constexpr std::chrono::milliseconds kProgressEvery{100};
constexpr char kRepair[] = "run 'gantry image verify --repair'";

std::string short_id(const std::string& digest) { return digest.substr(digest.find(':') + 1, 12); }

/// An image as the rows have it; its configuration may be what is damaged.
struct Subject {
  rows::Image image;
  std::string name;  ///< for people
  std::vector<std::string> layers;
  std::vector<std::string> blobs;
  bool from_registry = false;
};

struct LayerSubject {
  rows::Layer row;
  bool canonical = false;
  bool has_forms = false;
  std::vector<std::string> images;
};

}  // namespace

/// One check, step by step.
class ImageStore::Checker {
 public:
  Checker(Impl& store, const ProgressSink& progress, const std::function<void()>& stop)
      : store_(store), progress_(progress), stop_(stop) {}

  CheckReport run(const std::vector<std::string>& references) {
    gather(references);
    for (const auto& [digest, part] : blobs_) check_blob(digest, part);
    for (const auto& subject : subjects_) check_rows(subject);
    for (const auto& [diff_id, layer] : layers_) check_layer_of(diff_id, layer);
    report_.images = subjects_.size();
    return std::move(report_);
  }

 private:
  struct BlobSubject {
    DamagedPart part = DamagedPart::blob;
    std::vector<std::string> images;
    bool from_registry = false;
  };

  Subject subject_of(store::Transaction& t, const rows::Image& image) const {
    Subject out{image, image.id, rows::layers_of(t, image.id), rows::blobs_of(t, image.id), false};
    auto names = rows::names_of(t, image.id);
    if (!names.empty()) out.name = oci::Reference::parse(names.front()).familiar();
    out.from_registry = !rows::digests_of(t, image.id).empty();
    return out;
  }

  void gather(const std::vector<std::string>& references) {
    std::lock_guard lock(store_.mutex);
    store_.database.transaction([&](store::Transaction& t) {
      auto chosen = references.empty() ? rows::all_images(t) : std::vector<rows::Image>{};
      for (const auto& reference : references) chosen.push_back(store_.find(t, reference));
      for (const auto& image : chosen) subjects_.push_back(subject_of(t, image));
      if (references.empty())
        for (const auto& diff_id : rows::all_layers(t)) add_layer(t, diff_id, "");
      for (const auto& subject : subjects_)
        for (const auto& diff_id : subject.layers) add_layer(t, diff_id, subject.name);
    });
    for (const auto& subject : subjects_)
      for (const auto& digest : subject.blobs) {
        auto& blob = blobs_[digest];
        blob.part = digest == subject.image.id         ? DamagedPart::configuration
                    : digest == subject.image.manifest ? DamagedPart::manifest
                                                       : DamagedPart::packages;
        blob.images.push_back(subject.name);
        blob.from_registry = blob.from_registry || subject.from_registry;
      }
    if (references.empty())
      for (const auto& digest : store_.content.list()) blobs_.try_emplace(digest.str());
  }

  void add_layer(store::Transaction& t, const std::string& diff_id, const std::string& image) {
    auto [at, fresh] = layers_.try_emplace(diff_id);
    if (fresh) {
      if (auto row = rows::layer(t, diff_id)) at->second.row = *row;
      at->second.canonical = rows::is_canonical(t, diff_id);
      at->second.has_forms = !rows::forms_of(t, diff_id).empty();
    }
    auto& images = at->second.images;
    if (!image.empty() && std::find(images.begin(), images.end(), image) == images.end()) images.push_back(image);
  }

  void tell(const std::string& id, const std::string& status, std::uint64_t current = 0, std::uint64_t total = 0) {
    if (progress_) progress_({id, status, current, total});
  }

  void check_blob(const std::string& digest, const BlobSubject& blob) {
    if (stop_) stop_();
    std::string problem;
    try {
      auto parsed = oci::Digest::parse(digest);
      auto size = store_.content.size(parsed);
      if (!store_.content.verify(parsed)) problem = "its content has changed on disk";
      report_.bytes += size;
    } catch (const Error& error) {
      // One that no image has may have gone since, and so may the image.
      if (error.kind() == ErrorKind::not_found && !is_wanted(digest)) return;
      problem = error.kind() == ErrorKind::not_found ? "it is missing" : error.message();
    }
    if (problem.empty()) return;
    {
      std::lock_guard lock(store_.mutex);
      store_.configs.erase(digest);  // one that is not on disk any more is not gone on with
    }
    Damage damage{blob.part, digest, blob.images, problem, {}, 0, false, {}};
    bool fetchable = blob.from_registry && blob.part != DamagedPart::packages;
    damage.fix = blob.part == DamagedPart::blob ? "remove it: run 'gantry image prune'"
                 : fetchable || blob.part == DamagedPart::manifest
                     ? kRepair
                     : "remove the image, and get, load or build it again";
    report_.damages.push_back(std::move(damage));
  }

  bool is_wanted(const std::string& digest) {
    std::lock_guard lock(store_.mutex);
    return store_.database.transaction([&](store::Transaction& t) { return rows::all_blobs(t).contains(digest); });
  }

  void check_rows(const Subject& subject) {
    std::string problem;
    try {
      auto text = store_.content.read(oci::Digest::parse(subject.image.id));
      auto config = json::from_text<oci::ImageConfig>(text, "its configuration");
      if (config.rootfs.diff_ids != subject.layers) problem = "the store lists other layers than its configuration";
    } catch (const Error&) {
      return;  // said of the blob
    }
    if (problem.empty()) return;
    report_.damages.push_back({DamagedPart::row,
                               subject.image.id,
                               {subject.name},
                               problem,
                               {},
                               0,
                               false,
                               "remove the image, and get, load or build it again"});
  }

  void check_layer_of(const std::string& diff_id, const LayerSubject& layer) {
    auto lease = hold(diff_id);
    if (!lease) return;  // removed since
    auto id = "layer " + short_id(diff_id);
    tell(id, "checking", 0, layer.row.tar_bytes);
    auto last = std::chrono::steady_clock::now();
    auto progress = [&](std::uint64_t bytes) {
      auto at = std::chrono::steady_clock::now();
      if (at - last < kProgressEvery) return;
      last = at;
      if (stop_) stop_();
      tell(id, "checking", bytes, layer.row.tar_bytes);
    };
    auto place = store_.layers.place(oci::Digest::parse(diff_id));
    auto checked = check_layer({place, diff_id, layer.canonical}, progress);
    mark(diff_id, !checked.faults.empty());
    ++report_.layers;
    report_.files += checked.files;
    report_.bytes += checked.bytes;
    if (!checked.comparable) report_.unchecked.push_back(diff_id);
    tell(id, checked.faults.empty() ? "checked" : "damaged");
    if (!checked.faults.empty()) note(diff_id, layer, std::move(checked.faults));
  }

  std::shared_ptr<ImageStore::Lease> hold(const std::string& diff_id) {
    std::lock_guard lock(store_.mutex);
    bool there =
        store_.database.transaction([&](store::Transaction& t) { return rows::layer(t, diff_id).has_value(); });
    if (!there) return nullptr;
    auto lease = store_.leases.make();
    lease->diff_ids.insert(diff_id);
    return lease;
  }

  void mark(const std::string& diff_id, bool damaged) {
    std::lock_guard lock(store_.mutex);
    store_.database.transaction([&](store::Transaction& t) {
      if (rows::is_damaged(t, diff_id) != damaged) rows::set_damaged(t, diff_id, damaged);
    });
  }

  void note(const std::string& diff_id, const LayerSubject& layer, std::vector<FileFault> faults) {
    Damage damage{DamagedPart::layer, diff_id, layer.images, {}, {}, 0, false, {}};
    for (auto& fault : faults) {
      if (fault.path.empty() && damage.problem.empty()) {
        damage.problem = fault.problem;
      } else if (damage.files.size() < kMostFiles) {
        damage.files.push_back(std::move(fault));
      } else {
        ++damage.more_files;
      }
    }
    auto count = damage.files.size() + damage.more_files;
    if (damage.problem.empty())
      damage.problem = std::to_string(count) + (count == 1 ? " file is damaged" : " files are damaged");
    damage.fix = layer.has_forms        ? kRepair
                 : layer.images.empty() ? "remove it: run 'gantry image prune'"
                 : layer.canonical      ? "build the image again: what is damaged is not taken from the cache"
                                        : "load or import the image again: what is damaged is replaced";
    log::warn("layer {}: {}", diff_id, damage.problem);
    report_.damages.push_back(std::move(damage));
  }

  Impl& store_;
  const ProgressSink& progress_;
  const std::function<void()>& stop_;
  std::vector<Subject> subjects_;
  std::map<std::string, LayerSubject> layers_;
  std::map<std::string, BlobSubject> blobs_;
  CheckReport report_;
};

CheckReport ImageStore::check(const std::vector<std::string>& references, const ProgressSink& progress,
                              const std::function<void()>& stop) {
  return Checker(*impl_, progress, stop).run(references);
}

void ImageStore::restore_blob(const std::string& digest, std::string_view data) {
  std::lock_guard lock(impl_->mutex);
  impl_->content.replace(oci::Digest::parse(digest), data);
}

std::string ImageStore::remake_manifest(const std::string& id) const {
  std::lock_guard lock(impl_->mutex);
  auto layers = impl_->database.transaction([&](store::Transaction& t) {
    std::vector<rows::Layer> out;
    for (const auto& diff_id : rows::layers_of(t, id))
      if (auto layer = rows::layer(t, diff_id)) out.push_back(*layer);
    return out;
  });
  return json::to_text(manifest_of(impl_->content.read(oci::Digest::parse(id)), id, layers));
}

std::string ImageStore::manifest_digest(const std::string& id) const {
  auto row = impl_->database.transaction([&](store::Transaction& t) { return rows::image(t, id); });
  if (!row) throw Error(ErrorKind::not_found, "image " + id + " is not there");
  return row->manifest;
}

std::vector<std::string> ImageStore::images_of_manifest(const std::string& digest) const {
  std::vector<std::string> out;
  auto found = impl_->database.transaction([&](store::Transaction& t) { return rows::images_by_manifest(t, digest); });
  for (const auto& image : found) out.push_back(image.id);
  return out;
}

std::vector<std::string> ImageStore::origins(const std::string& id) const {
  return impl_->database.transaction([&](store::Transaction& t) { return rows::digests_of(t, id); });
}

void ImageStore::drop_replaced(const std::vector<std::string>& diff_ids_in_use) {
  impl_->layers.drop_replaced([&](const std::string& diff_id) {
    return std::find(diff_ids_in_use.begin(), diff_ids_in_use.end(), diff_id) != diff_ids_in_use.end();
  });
}

}  // namespace gantry::image
