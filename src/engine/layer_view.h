#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace gantry::engine {

using LayerPaths = std::vector<std::filesystem::path>;

/// The merged view of directories in overlayfs form (whiteouts are 0:0 character devices, opaque directories carry
/// trusted.overlay.opaque), without mounting them. Blocking. Links inside the view never lead out of it.
class LayerView {
 public:
  /// Lowest first. Directories that are not there are skipped.
  explicit LayerView(std::vector<std::filesystem::path> layers) : layers_(std::move(layers)) {}

  /// The content of a regular file; nullopt when there is none at `path`.
  std::optional<std::string> read(const std::filesystem::path& path) const;
  /// Copies what is in the directory `path`, and its own owner, mode and times, into the existing empty directory
  /// `target`: ownership, modes, times, links, devices and extended attributes. False when the view has no such
  /// directory.
  bool copy_directory(const std::filesystem::path& path, const std::filesystem::path& target) const;
  /// Where `inside` (normal, relative, no link on the way) is on the host, in the topmost layer that has it.
  std::optional<std::filesystem::path> lookup(const std::filesystem::path& inside) const;
  /// Sorted names in the directory `inside` of the same kind; empty when there is no such directory.
  std::vector<std::string> names(const std::filesystem::path& inside) const;

 private:
  /// `path` with every symbolic link followed inside the view, relative. nullopt: there is nothing, or a loop.
  std::optional<std::filesystem::path> follow(const std::filesystem::path& path) const;

  std::vector<std::filesystem::path> layers_;
};

}  // namespace gantry::engine
