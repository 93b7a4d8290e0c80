#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "gantry/base/fd.h"

namespace gantry::image {

/// Layers that are file-system images, mounted on this host: each at `<root>/<name>`, read-only, once for all who have
/// it. `root` is a mount of its own that passes on what is unmounted, so that no namespace made from ours keeps a layer
/// busy after it is gone here. A crash leaves the mounts; the next one with the same `root` takes them away.
/// Thread-safe.
class LayerMounts {
 public:
  /// Mounts nothing yet. `root` must not be on a file system that is kept (its place is /run).
  explicit LayerMounts(std::filesystem::path root);
  LayerMounts(const LayerMounts&) = delete;
  LayerMounts& operator=(const LayerMounts&) = delete;
  /// Unmounts all. Containers that run keep what they have.
  ~LayerMounts();

  /// Why this host cannot mount images, found out once by mounting one; empty when it can.
  const std::string& obstacle();
  /// Where the files of `image` are. Error unavailable when it cannot be mounted.
  std::filesystem::path mounted(const std::string& name, const std::filesystem::path& image);
  /// `image` is what is to be seen under this name from now on.
  void replace(const std::string& name, const std::filesystem::path& image);
  /// Unmounts it, if it is mounted.
  void release(const std::string& name);

 private:
  void prepare();
  void attach(const std::filesystem::path& image, const std::filesystem::path& at);

  std::filesystem::path root_;
  std::mutex mutex_;
  bool prepared_ = false;
  std::set<std::string> mounted_;
  std::optional<std::string> obstacle_;
};

/// An EROFS image as a mount that is attached nowhere, read-only: it goes when the last descriptor is closed, and its
/// loop device with it. `fresh`: sees what is on the disk now, not what is in memory. Error unavailable.
Fd mount_image(const std::filesystem::path& image, bool fresh = false);

}  // namespace gantry::image
