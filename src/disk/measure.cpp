#include "measure.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <map>
#include <set>

#include "gantry/base/error.h"

namespace gantry::disk {
namespace fs = std::filesystem;

FileSystem file_system_of(const fs::path& path) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) < 0) throw_errno("inspect the file system of " + path.string());
  auto unit = static_cast<std::uint64_t>(info.f_frsize);
  return {static_cast<std::uint64_t>(info.f_blocks) * unit, static_cast<std::uint64_t>(info.f_bavail) * unit};
}

Logs logs_at(const std::string& log_path) {
  constexpr std::uint64_t kBlock = 512;
  Logs out;
  if (log_path.empty()) return out;
  fs::path current(log_path);
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(current.parent_path(), gone)) {
    auto name = entry.path().filename().string();
    bool rotated = name.starts_with("log.") && name.find_first_not_of("0123456789", 4) == std::string::npos;
    if (name != current.filename() && !rotated) continue;
    struct stat info {};
    if (::lstat(entry.path().c_str(), &info) < 0 || !S_ISREG(info.st_mode)) continue;
    auto bytes = static_cast<std::uint64_t>(info.st_blocks) * kBlock;
    out.bytes += bytes;
    if (rotated)
      out.rotated.push_back({entry.path(), bytes, info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec});
  }
  return out;
}

void measure_images(image::ImageStore& images, Usage& out) {
  std::map<std::string, image::LayerUse> layers;
  for (auto& layer : images.layers()) {
    if (layer.images > 0) out.layers += layer.size;
    layers[layer.diff_id] = std::move(layer);
  }
  for (auto& info : images.list()) {
    ImageUse use;
    std::set<std::string> counted;
    for (const auto& diff_id : info.layers) {
      auto layer = layers.find(diff_id);
      if (layer == layers.end() || !counted.insert(diff_id).second) continue;
      (layer->second.images > 1 ? use.shared : use.unique) += layer->second.size;
    }
    use.info = std::move(info);
    out.images.push_back(std::move(use));
  }
}

void measure_registry(distribution::Distribution& registry, distribution::Mirror& mirror, Usage& out) {
  auto totals = registry.totals();
  auto mirrored = mirror.use();
  // Manifests are rows; those of our own are not counted, and those of mirrors are among what their budget is about.
  out.registry.repositories = totals.repositories - std::min(totals.repositories, mirrored.repositories);
  out.registry.bytes = totals.bytes - std::min(totals.bytes, mirrored.blobs);
  out.mirror = {mirrored.repositories, mirrored.blobs + mirrored.manifests};
}

}  // namespace gantry::disk
