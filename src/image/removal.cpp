#include <algorithm>
#include <optional>

#include "gantry/base/error.h"
#include "gantry/base/log.h"
#include "image_store_impl.h"

namespace gantry::image {
namespace {

bool contains(const std::vector<std::string>& list, const std::string& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::string repository_of(const std::string& canonical) {
  auto parsed = oci::Reference::parse(canonical);
  return parsed.domain + "/" + parsed.path;
}

std::string shorten(std::string_view id) {
  if (id.starts_with("sha256:")) id.remove_prefix(7);
  return std::string(id.substr(0, 12));
}

/// One removal, as the Docker Engine API describes it: what is checked, in which order, and what it is called.
class Removal {
 public:
  Removal(store::Transaction& t, rows::Image image, std::string reference, bool force,
          const std::vector<ImageUser>& users)
      : t_(t),
        id_(std::move(image.id)),
        reference_(std::move(reference)),
        force_(force),
        users_(users),
        names_(rows::names_of(t, id_)),
        digests_(rows::digests_of(t, id_)) {}

  ImageStore::Removed run() {
    if (auto name = name_meant()) {
      if (take_name(*name)) return out_;
    } else {
      take_by_id();
    }
    if (used()) return out_;
    rows::delete_image(t_, id_);
    out_.deleted.push_back(id_);
    return out_;
  }

 private:
  /// The canonical name or digest that was said; nothing when an id was.
  std::optional<std::string> name_meant() const {
    try {
      auto canonical = oci::Reference::parse(reference_).canonical();
      if (contains(names_, canonical) || contains(digests_, canonical)) return canonical;
    } catch (const Error&) {
      // An id is no name.
    }
    return std::nullopt;
  }

  const ImageUser* user(std::optional<bool> running = {}) const {
    for (const auto& one : users_)
      if (one.image == id_ && (!running || one.running == *running)) return &one;
    return nullptr;
  }
  bool used() const { return user() != nullptr; }

  /// At most one name, and all in one repository.
  bool is_single() const {
    if (names_.size() > 1) return false;
    std::set<std::string> repositories;
    for (const auto& name : names_) repositories.insert(repository_of(name));
    for (const auto& digest : digests_) repositories.insert(repository_of(digest));
    return repositories.size() <= 1;
  }

  void untag(const std::string& canonical) {
    if (auto at = canonical.find('@'); at != std::string::npos) {
      rows::delete_digest(t_, canonical.substr(0, at), canonical.substr(at + 1));
    } else {
      rows::delete_name(t_, canonical);
    }
    out_.untagged.push_back(familiar(canonical));
    std::erase(names_, canonical);
    std::erase(digests_, canonical);
  }

  void untag_all() {
    for (const auto& name : std::vector(names_)) untag(name);
    for (const auto& digest : std::vector(digests_)) untag(digest);
    rows::forget(t_, id_);
  }

  /// True when that was all there is to do: the image has further names.
  bool take_name(const std::string& name) {
    if (const auto* one = user(); one != nullptr && !force_ && is_single())
      throw Error(ErrorKind::conflict,
                  "conflict: unable to remove repository reference \"" + reference_ + "\" (must force) - container " +
                      shorten(one->container) + " is using its referenced image " + shorten(id_),
                  "remove the container first, or take only the name away with --force");
    untag(name);
    // What a registry called it goes with the last name in that repository.
    auto repository = repository_of(name);
    auto same = [&](const std::string& other) { return repository_of(other) == repository; };
    if (std::none_of(names_.begin(), names_.end(), same))
      for (const auto& digest : std::vector(digests_))
        if (same(digest)) untag(digest);
    if (!names_.empty() || !digests_.empty()) return true;
    rows::forget(t_, id_);
    return false;
  }

  void take_by_id() {
    if (const auto* one = user(true))
      refuse(false, "image is being used by running container " + shorten(one->container));
    if (!force_ && !is_single()) {
      std::string all;
      for (const auto& name : names_) all += (all.empty() ? "" : ", ") + familiar(name);
      refuse(true, "image is referenced in multiple repositories", "remove its names one by one: " + all);
    }
    if (const auto* one = user(false); one != nullptr && !force_)
      refuse(true, "image is being used by stopped container " + shorten(one->container));
    untag_all();
  }

  [[noreturn]] void refuse(bool forceable, const std::string& why, std::string fix = {}) const {
    if (fix.empty()) fix = "remove the container first";
    throw Error(ErrorKind::conflict,
                "conflict: unable to delete " + shorten(id_) +
                    (forceable ? " (must be forced) - " : " (cannot be forced) - ") + why,
                forceable ? fix + ", or use --force" : fix);
  }

  store::Transaction& t_;
  std::string id_;
  std::string reference_;
  bool force_;
  const std::vector<ImageUser>& users_;
  std::vector<std::string> names_;
  std::vector<std::string> digests_;
  ImageStore::Removed out_;
};

}  // namespace

ImageStore::Removed ImageStore::remove(const std::string& reference, bool force, const std::vector<ImageUser>& users) {
  Removed removed;
  Impl::Swept swept;  // outlives the lock: its files are deleted without it
  std::lock_guard lock(impl_->mutex);
  std::set<std::string> layers;
  impl_->database.transaction([&](store::Transaction& t) {
    auto image = impl_->find(t, reference);
    auto list = rows::layers_of(t, image.id);
    removed = Removal(t, std::move(image), reference, force, users).run();
    if (!removed.deleted.empty()) layers.insert(list.begin(), list.end());
  });
  if (removed.deleted.empty()) return removed;
  swept = impl_->sweep(&layers);
  removed.deleted.insert(removed.deleted.end(), swept.diff_ids.begin(), swept.diff_ids.end());
  removed.bytes = swept.bytes;
  return removed;
}

ImageStore::Removed ImageStore::prune(bool all, const std::vector<ImageUser>& users,
                                      const std::function<bool(const ImageInfo&)>& wanted) {
  std::set<std::string> used;
  for (const auto& user : users) used.insert(user.image);
  Held held;
  {
    std::lock_guard lock(impl_->mutex);
    held = impl_->leases.held();
  }
  used.merge(held.blobs);  // what is being made has no name yet
  auto is_held = [&](const ImageInfo& image) {
    return std::any_of(image.layers.begin(), image.layers.end(),
                       [&](const auto& diff_id) { return held.diff_ids.contains(diff_id); });
  };
  std::set<std::string> chosen;
  for (const auto& image : list()) {
    if (!all && !image.references.empty()) continue;
    if (!used.contains(image.id) && !is_held(image) && wanted(image)) chosen.insert(image.id);
  }
  Removed removed;
  Impl::Swept swept;  // outlives the lock: its files are deleted without it
  std::lock_guard lock(impl_->mutex);
  std::set<std::string> layers;
  impl_->database.transaction([&](store::Transaction& t) {
    impl_->write_touched(t);
    for (const auto& id : chosen) {
      auto image = rows::image(t, id);
      if (!image || (!all && !rows::names_of(t, id).empty())) continue;  // somebody was faster
      auto list = rows::layers_of(t, id);
      layers.insert(list.begin(), list.end());
      auto one = Removal(t, *image, id, true, {}).run();
      removed.untagged.insert(removed.untagged.end(), one.untagged.begin(), one.untagged.end());
      removed.deleted.insert(removed.deleted.end(), one.deleted.begin(), one.deleted.end());
    }
  });
  swept = impl_->sweep(&layers);
  removed.deleted.insert(removed.deleted.end(), swept.diff_ids.begin(), swept.diff_ids.end());
  removed.bytes = swept.bytes;
  return removed;
}

ImageStore::Impl::Swept ImageStore::Impl::sweep(const std::set<std::string>* only) {
  Swept out;
  Held held = leases.held();
  std::set<std::string> needed = held.blobs;
  database.transaction([&](store::Transaction& t) {
    for (const auto& layer : rows::unused_layers(t)) {
      bool meant = only == nullptr || only->contains(layer.diff_id);
      if (!meant || held.diff_ids.contains(layer.diff_id)) continue;
      rows::delete_layer(t, layer.diff_id);
      out.diff_ids.push_back(layer.diff_id);
      out.bytes += layer.size;
    }
    needed.merge(rows::all_blobs(t));
  });
  for (const auto& diff_id : out.diff_ids) out.trash.push_back(layers.withdraw(oci::Digest::parse(diff_id)));
  for (const auto& digest : content.list()) {
    if (needed.contains(digest.str())) continue;
    out.bytes += content.size(digest);
    content.remove(digest);
  }
  return out;
}

std::uint64_t ImageStore::discard_layers(const std::vector<std::string>& diff_ids) {
  Impl::Swept swept;  // outlives the lock: its files are deleted without it
  std::lock_guard lock(impl_->mutex);
  std::set<std::string> only(diff_ids.begin(), diff_ids.end());
  swept = impl_->sweep(&only);
  return swept.bytes;
}

std::uint64_t ImageStore::collect_garbage(const std::vector<std::string>& in_use) {
  Impl::Swept swept;  // outlives the lock: its files are deleted without it
  std::lock_guard lock(impl_->mutex);
  impl_->database.transaction([&](store::Transaction& t) {
    auto held = impl_->leases.held().blobs;  // what is being made has no name yet
    for (const auto& id : rows::dangling(t))
      if (!contains(in_use, id) && !held.contains(id)) rows::delete_image(t, id);
  });
  swept = impl_->sweep(nullptr);
  return swept.bytes;
}

void ImageStore::recover() {
  std::lock_guard lock(impl_->mutex);
  impl_->layers.recover();
  impl_->recover_layers();
  impl_->recover_images();
}

// Directories without a row are what a crash left between the two; rows without a directory are damage from outside.
void ImageStore::Impl::recover_layers() {
  auto list = database.transaction([](store::Transaction& t) { return rows::all_layers(t); });
  std::set<std::string> known(list.begin(), list.end());
  for (const auto& digest : layers.list()) {
    if (known.contains(digest.str())) continue;
    log::info("layer {}: removed, no image was recorded for it", digest.str());
    layers.withdraw(digest);
  }
  for (const auto& diff_id : list) {
    if (layers.has(oci::Digest::parse(diff_id))) continue;
    log::warn("layer {}: its files are gone; the images that need it are removed", diff_id);
    database.transaction([&](store::Transaction& t) {
      for (const auto& image : rows::all_images(t))
        if (contains(rows::layers_of(t, image.id), diff_id)) rows::delete_image(t, image.id);
      rows::delete_layer(t, diff_id);
    });
  }
}

void ImageStore::Impl::recover_images() {
  database.transaction([&](store::Transaction& t) {
    for (const auto& image : rows::all_images(t)) {
      if (content.has(oci::Digest::parse(image.id))) continue;
      log::warn("image {}: its configuration is gone; the image is removed", image.id);
      rows::delete_image(t, image.id);
    }
  });
}

}  // namespace gantry::image
