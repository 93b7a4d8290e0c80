#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "gantry/base/files.h"
#include "gantry/oci/digest.h"
#include "layer_mounts.h"

namespace gantry::image {

/// In a layer's place: its files, or a file system with them.
inline constexpr char kTree[] = "fs";
inline constexpr char kImage[] = "image";

/// The layers on disk:
///
///     <root>/<hex of the diff id>      a layer, complete and durable
///     <root>/ingest/<random>           one that is being made, or removed; emptied by `recover`
///     <root>/old/<hex>.<random>        one that was damaged and replaced, while containers may have it mounted
///
/// in each of them `fs`, a directory with its files, or `image`, an EROFS file system with them, which is mounted when
/// somebody wants to see it. Knows nothing of rows. A layer appears and disappears by one rename.
class LayerDirectory {
 public:
  /// `mounts`: where images are mounted, on a file system that a reboot empties; empty: layers are directories.
  LayerDirectory(std::filesystem::path root, std::filesystem::path mounts);

  /// Whether new layers can be images.
  bool takes_images() const;
  /// Where the layer's files are. An image is mounted. Error unavailable when it cannot be.
  std::filesystem::path path(const oci::Digest& diff_id) const;
  /// What holds the layer.
  std::filesystem::path place(const oci::Digest& diff_id) const { return root_ / diff_id.hex(); }
  /// A directory of its own to make a layer in; removed with its owner unless published.
  TemporaryDirectory ingest() const;
  /// Makes what was made below `ingest` durable. Takes as long as the disk needs; who asks while the disk is at it
  /// for another shares the next round with all who do.
  void sync(const TemporaryDirectory& ingest) const;
  /// Gives what was synced its name. A layer of that name that is there already stays.
  void publish(TemporaryDirectory& ingest, const oci::Digest& diff_id) const;
  /// The same, in place of the layer of that name: whoever looks it up finds one or the other at any moment, and who
  /// has the old one mounted keeps it, until `drop_replaced`.
  void replace(TemporaryDirectory& ingest, const oci::Digest& diff_id) const;
  /// Deletes replaced layers, but for those that `in_use` (by the layer's digest) says yes to.
  void drop_replaced(const std::function<bool(const std::string&)>& in_use) const;
  /// Takes the layer's name away at once; the files go when what it returns is destroyed.
  TemporaryDirectory withdraw(const oci::Digest& diff_id) const;
  bool has(const oci::Digest& diff_id) const;
  std::vector<oci::Digest> list() const;
  void recover() const;

 private:
  struct Rounds {
    std::mutex mutex;
    std::condition_variable changed;
    std::uint64_t asked = 0;  ///< how many have asked so far
    std::uint64_t done = 0;   ///< as many of them have it
    bool running = false;
  };
  void sync_all(const std::filesystem::path& place) const;

  std::filesystem::path root_;
  std::unique_ptr<LayerMounts> mounts_;
  std::unique_ptr<Rounds> rounds_ = std::make_unique<Rounds>();
};

}  // namespace gantry::image
