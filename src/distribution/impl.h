#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "gantry/content/content_store.h"
#include "gantry/distribution/distribution.h"
#include "gantry/ignore/pattern.h"
#include "rows.h"
#include "uploads.h"

namespace gantry::distribution {

/// What the parts of Distribution share.
struct Distribution::Impl {
  Impl(store::Database& database_in, image::ImageStore& images_in, Options options_in);

  store::Database& database;
  image::ImageStore& images;
  Options options;
  content::ContentStore blobs;
  Uploads uploads;
  std::vector<ignore::Pattern> immutable;

  /// Makes "the file is there, so a row may name it" one step against "no row names it, so the file goes". Held for a
  /// rename and a transaction, never while anything is received, hashed or sent.
  std::mutex mutex;
  /// Layers of the engine that blobs are made from; under `mutex`.
  std::map<std::string, std::shared_ptr<image::ImageStore::Lease>> held;

  /// Under `mutex`. False: the engine does not have it (any more).
  bool hold_layer(const std::string& digest);
  /// Under `mutex`: a row for a layer of the engine, unless there is one. Returns what the blob is.
  std::optional<rows::BlobRow> share_layer(const std::string& digest);
  bool is_immutable(const std::string& repository, const std::string& tag) const;
  /// The digest that a tag or digest means here. MANIFEST_UNKNOWN, NAME_UNKNOWN.
  std::string resolve(store::Transaction& t, const std::string& repository, const std::string& reference) const;
  /// Takes a blob away that no repository has. Returns its bytes.
  std::uint64_t drop_blob(const std::string& digest);
};

std::int64_t seconds_now();

}  // namespace gantry::distribution
