#include "files/changes.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <map>

#include "gantry/base/error.h"
#include "tree_copy.h"

namespace gantry::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 7> kMountPoints{
    "etc/resolv.conf", "etc/hosts", "etc/hostname", "etc", "proc", "sys", "dev"};

bool same_times(const struct stat& a, const struct stat& b) {
  return a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

class Finder {
 public:
  Finder(const LayerPaths& layers, fs::path upper) : lower_(layers), upper_(std::move(upper)) {}

  Changes run() {
    if (fs::exists(upper_)) walk({});
    Changes out;
    for (auto& [path, kind] : found_) out.list.push_back({kind, "/" + path});
    out.mount_points = std::move(mount_points_);
    return out;
  }

 private:
  void note(const fs::path& path, ChangeKind kind) {
    found_[path.string()] = kind;
    auto above = path.parent_path();
    if (kind != ChangeKind::modified && !above.empty()) found_.try_emplace(above.string(), ChangeKind::modified);
  }

  bool is_mount_point(const fs::path& path, const struct stat& info) const {
    if (std::ranges::find(kMountPoints, path.string()) == kMountPoints.end()) return false;
    if (!S_ISDIR(info.st_mode)) return S_ISREG(info.st_mode) && info.st_size == 0;
    std::error_code ignored;
    return std::ranges::all_of(fs::directory_iterator(upper_ / path, ignored), [&](const auto& entry) {
      struct stat inner {};
      auto inside = path / entry.path().filename();
      return ::lstat(entry.path().c_str(), &inner) == 0 && is_mount_point(inside, inner);
    });
  }

  // Returns whether something in it only stands there to be mounted on.
  bool walk(const fs::path& directory) {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(upper_ / directory, ignored))
      names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    bool any = false;
    for (const auto& name : names) any = look(directory / name) || any;
    if (!directory.empty() && is_opaque(upper_ / directory))
      for (const auto& name : lower_.names(directory))
        if (std::ranges::find(names, name) == names.end()) note(directory / name, ChangeKind::deleted);
    return any;
  }

  bool look(const fs::path& path) {
    struct stat info {};
    if (::lstat((upper_ / path).c_str(), &info) < 0) return false;  // removed meanwhile
    auto below = lower_.lookup(path);
    struct stat before {};
    bool was = below && ::lstat(below->c_str(), &before) == 0;
    if (is_whiteout(info)) {
      if (was) note(path, ChangeKind::deleted);
      return false;
    }
    if (!was && is_mount_point(path, info)) {
      mount_points_.insert(path.string());
      if (S_ISDIR(info.st_mode)) walk(path);
      return true;
    }
    if (!was) note(path, ChangeKind::added);
    if (!S_ISDIR(info.st_mode)) {
      if (was) note(path, ChangeKind::modified);
      return false;
    }
    bool served = walk(path);
    if (!was) return false;
    bool same = S_ISDIR(before.st_mode) && before.st_mode == info.st_mode && before.st_uid == info.st_uid &&
                before.st_gid == info.st_gid;
    // A mount point made in it has changed its time.
    if (!same || (!served && !same_times(before, info))) note(path, ChangeKind::modified);
    return false;
  }

  LayerView lower_;
  fs::path upper_;
  std::map<std::string, ChangeKind> found_;
  std::set<std::string> mount_points_;
};

}  // namespace

Changes find_changes(const LayerPaths& layers, const fs::path& upper) { return Finder(layers, upper).run(); }

}  // namespace gantry::engine
