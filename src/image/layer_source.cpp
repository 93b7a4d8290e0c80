#include <fcntl.h>

#include <algorithm>

#include "gantry/base/error.h"
#include "image_store_impl.h"
#include "layer_tar.h"
#include "tar_recipe.h"

namespace gantry::image {
namespace {

HistoryItem item_of(const oci::History& entry) {
  HistoryItem out;
  out.created_by = entry.created_by.value_or("");
  out.comment = entry.comment.value_or("");
  out.created = from_rfc3339(entry.created.value_or("")).value_or(Timestamp{});
  out.empty = entry.empty_layer.value_or(false);
  return out;
}

}  // namespace

// A configuration may say less than there is (or nothing at all): layers it does not mention are shown all the same.
std::vector<HistoryItem> ImageStore::history(const std::string& reference) const {
  std::lock_guard lock(impl_->mutex);
  auto id = impl_->database.transaction([&](store::Transaction& t) { return impl_->find(t, reference).id; });
  auto info = impl_->describe(id);
  std::vector<std::uint64_t> sizes;
  impl_->database.transaction([&](store::Transaction& t) {
    for (const auto& diff_id : info.layers) {
      auto layer = rows::layer(t, diff_id);
      sizes.push_back(layer ? layer->size : 0);
    }
  });
  std::vector<HistoryItem> out;
  std::size_t next = 0;
  for (const auto& entry : info.config.history) {
    auto item = item_of(entry);
    if (!item.empty && next < sizes.size()) item.size = sizes[next++];
    out.push_back(std::move(item));
  }
  for (; next < sizes.size(); ++next) out.push_back({.size = sizes[next]});
  std::reverse(out.begin(), out.end());
  return out;
}

std::vector<LayerUse> ImageStore::layers() const {
  std::vector<LayerUse> out;
  auto rows = impl_->database.transaction([](store::Transaction& t) { return rows::shared_layers(t); });
  for (const auto& row : rows) out.push_back({row.layer.diff_id, row.layer.size, row.images});
  return out;
}

void ImageStore::note_form(const std::string& diff_id, const LayerForm& form) {
  impl_->database.transaction([&](store::Transaction& t) { rows::insert_form(t, diff_id, form); });
}

std::vector<LayerForm> ImageStore::forms(const std::string& diff_id) const {
  return impl_->database.transaction([&](store::Transaction& t) { return rows::forms_of(t, diff_id); });
}

std::string ImageStore::read_blob(const std::string& digest) const {
  return impl_->content.read(oci::Digest::parse(digest));
}

std::uint64_t ImageStore::layer_bytes(const std::string& diff_id) const {
  auto layer = impl_->database.transaction([&](store::Transaction& t) { return rows::layer(t, diff_id); });
  if (!layer) throw Error(ErrorKind::not_found, "layer " + diff_id + " is not there");
  return layer->tar_bytes;
}

bool ImageStore::has_layer_tar(const std::string& diff_id) const {
  bool canonical = false;
  bool here = impl_->database.transaction([&](store::Transaction& t) {
    canonical = rows::is_canonical(t, diff_id);
    return rows::layer(t, diff_id).has_value();
  });
  return here && (canonical || std::filesystem::exists(impl_->layers.place(oci::Digest::parse(diff_id)) / kRecipe));
}

void ImageStore::write_layer(const std::string& diff_id, const std::function<void(std::string_view)>& sink) {
  auto tree = layer_path(diff_id);
  bool canonical = impl_->database.transaction([&](store::Transaction& t) { return rows::is_canonical(t, diff_id); });
  Fd directory = open_file(tree.string(), O_RDONLY | O_DIRECTORY);
  oci::Hasher hasher;
  auto hashing = [&](std::string_view piece) {
    hasher.update(piece);
    sink(piece);
  };
  auto recipe = impl_->layers.place(oci::Digest::parse(diff_id)) / kRecipe;
  if (std::filesystem::exists(recipe)) {
    Fd file = open_file(recipe.string(), O_RDONLY);
    replay_recipe(file.get(), directory.get(), hashing);
  } else if (canonical) {
    write_layer_tar(directory.get(), hashing);
  } else {
    throw Error(ErrorKind::unsupported,
                "layer " + diff_id + ": the archive it came in cannot be made again from its files",
                "get the image again (pull, load or import it), or build it again");
  }
  if (hasher.finish().str() != diff_id)
    throw Error(ErrorKind::conflict, "layer " + diff_id + ": its files have changed since it was made",
                "remove the image and get it again");
}

}  // namespace gantry::image
