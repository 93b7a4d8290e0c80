#include <algorithm>

#include "gantry/base/error.h"
#include "gantry/base/log.h"
#include "image_store_impl.h"

namespace gantry::image {
namespace {

bool contains(const std::vector<std::string>& list, const std::string& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

std::string familiar(const std::string& canonical) { return oci::Reference::parse(canonical).familiar(); }

// The names that removing `reference` takes away: the one that was said, or all when the image was named by its id.
std::vector<std::string> names_meant(store::Transaction& t, const std::string& reference, const std::string& id,
                                     bool force) {
  auto names = rows::names_of(t, id);
  try {
    auto canonical = oci::Reference::parse(reference).canonical();
    if (contains(names, canonical)) return {canonical};
  } catch (const Error&) {
    // An id is no name.
  }
  if (names.size() > 1 && !force) {
    std::vector<std::string> shown;
    for (const auto& name : names) shown.push_back(familiar(name));
    throw Error(ErrorKind::conflict, "image " + reference + " has several names: " + joined(shown),
                "remove the names one by one, or all with --force");
  }
  return names;
}

}  // namespace

ImageStore::Removed ImageStore::remove(const std::string& reference, bool force,
                                       const std::vector<std::string>& in_use) {
  Removed removed;
  Impl::Swept swept;
  std::lock_guard lock(impl_->mutex);
  std::set<std::string> layers;
  bool deleted = impl_->database.transaction([&](store::Transaction& t) {
    auto id = impl_->find(t, reference).id;
    auto gone = names_meant(t, reference, id, force);
    bool last = gone.size() == rows::names_of(t, id).size();
    bool used = contains(in_use, id);
    if (last && used && !force)
      throw Error(ErrorKind::conflict, "image \"" + reference + "\" is used by a container",
                  "remove the container first, or take only the name away with --force");
    for (const auto& name : gone) {
      rows::delete_name(t, name);
      removed.untagged.push_back(familiar(name));
    }
    if (!last) return false;
    rows::forget(t, id);
    if (used) return false;
    for (auto& diff_id : rows::layers_of(t, id)) layers.insert(std::move(diff_id));
    rows::delete_image(t, id);
    removed.deleted.push_back(id);
    return true;
  });
  if (!deleted) return removed;
  swept = impl_->sweep(&layers);
  removed.deleted.insert(removed.deleted.end(), swept.diff_ids.begin(), swept.diff_ids.end());
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

void ImageStore::discard_layers(const std::vector<std::string>& diff_ids) {
  Impl::Swept swept;  // outlives the lock: its files are deleted without it
  std::lock_guard lock(impl_->mutex);
  std::set<std::string> only(diff_ids.begin(), diff_ids.end());
  swept = impl_->sweep(&only);
}

std::uint64_t ImageStore::collect_garbage(const std::vector<std::string>& in_use) {
  Impl::Swept swept;  // outlives the lock: its files are deleted without it
  std::lock_guard lock(impl_->mutex);
  impl_->database.transaction([&](store::Transaction& t) {
    for (const auto& id : rows::dangling(t))
      if (!contains(in_use, id)) rows::delete_image(t, id);
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
