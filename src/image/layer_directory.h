#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "gantry/base/files.h"
#include "gantry/oci/digest.h"

namespace gantry::image {

/// The layers on disk:
///
///     <root>/<hex of the diff id>/fs   a layer, complete and durable
///     <root>/ingest/<random>/fs        one that is being made, or removed; emptied by `recover`
///     <root>/old/<hex>.<random>/fs     one that was damaged and replaced, while containers may have it mounted
///
/// Knows nothing of rows. A layer appears and disappears by one rename.
class LayerDirectory {
 public:
  explicit LayerDirectory(std::filesystem::path root);

  std::filesystem::path path(const oci::Digest& diff_id) const;
  /// A directory of its own to make a layer in; removed with its owner unless published.
  TemporaryDirectory ingest() const;
  /// Makes what was made below `ingest`/fs durable. Takes as long as the disk needs; who asks while the disk is at it
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
  std::filesystem::path root_;
  std::unique_ptr<Rounds> rounds_ = std::make_unique<Rounds>();
};

}  // namespace gantry::image
