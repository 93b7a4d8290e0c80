#include "layer_view.h"

#include <sys/stat.h>

#include <deque>
#include <set>

#include "gantry/base/files.h"
#include "tree_copy.h"

namespace gantry::engine {
namespace fs = std::filesystem;
namespace {

constexpr int kMostLinks = 40;  // what the kernel follows at most, path_resolution(7)

enum class Coverage { absent, present, hides };

// What one layer says about a path: it has it, it hides what lower layers have there, or nothing.
struct Layered {
  Coverage coverage = Coverage::absent;
  bool opaque = false;  ///< lower layers do not shine through
};

Layered look(const fs::path& layer, const fs::path& inside) {
  Layered out;
  fs::path path = layer;
  struct stat status {};
  for (auto part = inside.begin(); part != inside.end(); ++part) {
    path /= *part;
    if (::lstat(path.c_str(), &status) < 0) return {Coverage::absent, out.opaque};
    if (is_whiteout(status)) return {Coverage::hides, true};
    bool last = std::next(part) == inside.end();
    if (!last && !S_ISDIR(status.st_mode)) return {Coverage::hides, true};
    if (S_ISDIR(status.st_mode) && is_opaque(path)) out.opaque = true;
    if (last && !S_ISDIR(status.st_mode)) out.opaque = true;
  }
  out.coverage = Coverage::present;
  return out;
}

}  // namespace

std::optional<fs::path> LayerView::lookup(const fs::path& inside) const {
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
    auto found = look(*layer, inside);
    if (found.coverage == Coverage::present) return *layer / inside;
    if (found.coverage == Coverage::hides || found.opaque) return std::nullopt;
  }
  return std::nullopt;
}

std::vector<std::string> LayerView::names(const fs::path& inside) const {
  std::set<std::string> seen, hidden;
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
    auto found = look(*layer, inside);
    if (found.coverage == Coverage::hides) break;
    std::error_code ignored;
    if (found.coverage == Coverage::present)
      for (const auto& entry : fs::directory_iterator(*layer / inside, ignored)) {
        auto name = entry.path().filename().string();
        struct stat status {};
        if (seen.contains(name) || hidden.contains(name) || ::lstat(entry.path().c_str(), &status) < 0) continue;
        (is_whiteout(status) ? hidden : seen).insert(name);
      }
    if (found.opaque) break;
  }
  return {seen.begin(), seen.end()};
}

std::optional<fs::path> LayerView::follow(const fs::path& path) const {
  auto normal = path.relative_path().lexically_normal();
  std::deque<fs::path> rest(normal.begin(), normal.end());
  fs::path done;
  for (int links = 0; !rest.empty();) {
    auto part = rest.front();
    rest.pop_front();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      done = done.parent_path();
      continue;
    }
    auto place = lookup(done / part);
    if (!place) return std::nullopt;
    if (!fs::is_symlink(fs::symlink_status(*place))) {
      done /= part;
      continue;
    }
    if (++links > kMostLinks) return std::nullopt;
    auto target = fs::read_symlink(*place);
    if (target.is_absolute()) done.clear();
    auto relative = target.relative_path();
    rest.insert(rest.begin(), relative.begin(), relative.end());
  }
  return done;
}

std::optional<std::string> LayerView::read(const fs::path& path) const {
  auto inside = follow(path);
  auto place = inside ? lookup(*inside) : std::nullopt;
  if (!place || !fs::is_regular_file(fs::symlink_status(*place))) return std::nullopt;
  return read_file(*place);
}

bool LayerView::copy_directory(const fs::path& path, const fs::path& target) const {
  auto inside = follow(path);
  if (!inside) return false;
  auto place = inside->empty() ? std::nullopt : lookup(*inside);
  bool is_root = inside->empty() && !layers_.empty();
  if (!is_root && (!place || !fs::is_directory(fs::symlink_status(*place)))) return false;
  // From below upwards, each layer onto the result, as the layers were made.
  for (const auto& layer : layers_) {
    auto found = look(layer, *inside);
    if (found.opaque) clear_directory(target);
    if (found.coverage == Coverage::present) copy_layer_directory(layer / *inside, target);
  }
  return true;
}

}  // namespace gantry::engine
