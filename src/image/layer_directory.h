#pragma once

#include <filesystem>
#include <vector>

#include "gantry/base/files.h"
#include "gantry/oci/digest.h"

namespace gantry::image {

/// The layers on disk:
///
///     <root>/<hex of the diff id>/fs   a layer, complete and durable
///     <root>/ingest/<random>/fs        one that is being made, or removed; emptied by `recover`
///
/// Knows nothing of rows. A layer appears and disappears by one rename.
class LayerDirectory {
 public:
  explicit LayerDirectory(std::filesystem::path root);

  std::filesystem::path path(const oci::Digest& diff_id) const;
  /// A directory of its own to make a layer in; removed with its owner unless published.
  TemporaryDirectory ingest() const;
  /// Makes what was made below `ingest`/fs durable. Takes as long as the disk needs.
  void sync(const TemporaryDirectory& ingest) const;
  /// Gives what was synced its name. A layer of that name that is there already stays.
  void publish(TemporaryDirectory& ingest, const oci::Digest& diff_id) const;
  /// Takes the layer's name away at once; the files go when what it returns is destroyed.
  TemporaryDirectory withdraw(const oci::Digest& diff_id) const;
  bool has(const oci::Digest& diff_id) const;
  std::vector<oci::Digest> list() const;
  void recover() const;

 private:
  std::filesystem::path root_;
};

}  // namespace gantry::image
