#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "gantry/base/fd.h"

namespace gantry::image {

/// Layers that are file-system images, mounted on this host: each at `<root>/<name>`, read-only, once for all who have
/// it. `root` is a mount of its own that passes on what is mounted and unmounted, so that a namespace that follows ours
/// sees every layer, and keeps none busy after it is gone here. A crash leaves the mounts; the next one with the same
/// `root` takes them away. Thread-safe.
class LayerMounts {
 public:
  /// Makes the mount that all others will be in, so that a namespace made from now on sees them. `root` must not be on
  /// a file system that is kept (its place is /run).
  explicit LayerMounts(std::filesystem::path root);
  LayerMounts(const LayerMounts&) = delete;
  LayerMounts& operator=(const LayerMounts&) = delete;
  /// Unmounts all. Containers that run keep what they have.
  ~LayerMounts();

  /// Why this host cannot mount images, found out once by mounting one; empty when it can.
  const std::string& obstacle();
  /// Where the files of `image` are. Error unavailable when it cannot be mounted.
  std::filesystem::path mounted(const std::string& name, const std::filesystem::path& image);
  /// Another image has taken the place of this one: who was told where it is keeps it, until `drop_superseded`; who
  /// asks from now on gets the other.
  void supersede(const std::string& name);
  void drop_superseded(const std::string& name);
  /// Unmounts it, if it is mounted.
  void release(const std::string& name);

 private:
  void prepare();
  static void unmount(const std::filesystem::path& at);

  std::filesystem::path root_;
  std::mutex mutex_;
  bool told_ = false;
  std::map<std::string, std::filesystem::path> mounted_;
  std::multimap<std::string, std::filesystem::path> superseded_;
  unsigned number_ = 0;
  std::optional<std::string> obstacle_;
};

/// Why this host cannot mount images; empty when it can. Mounts one to find out.
std::string image_obstacle();

/// An EROFS image as a mount that is attached nowhere, read-only: it goes when the last descriptor is closed, and its
/// loop device with it. `fresh`: sees what is on the disk now, not what is in memory. Error unavailable.
Fd mount_image(const std::filesystem::path& image, bool fresh = false);

}  // namespace gantry::image
