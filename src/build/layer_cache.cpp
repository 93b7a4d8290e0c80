#include "layer_cache.h"

#include "gantry/base/error.h"
#include "gantry/base/time.h"
#include "gantry/build/builder.h"

namespace gantry::build {

store::Schema schema() {
  return {"build",
          {"CREATE TABLE build_cache (key TEXT PRIMARY KEY, diff_id TEXT NOT NULL, used TEXT NOT NULL) STRICT;"}};
}

std::optional<std::string> LayerCache::find(const std::string& key, image::ImageStore::Lease& lease) {
  auto diff_id = database_.transaction([&](store::Transaction& transaction) {
    auto found = transaction.text("SELECT diff_id FROM build_cache WHERE key = ?", {key});
    if (found) transaction.run("UPDATE build_cache SET used = ? WHERE key = ?", {to_rfc3339(now()), key});
    return found;
  });
  if (!diff_id) return std::nullopt;
  try {
    images_.hold(lease, *diff_id);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    database_.transaction([&](store::Transaction& transaction) {
      transaction.run("DELETE FROM build_cache WHERE diff_id = ?", {*diff_id});
    });
    return std::nullopt;
  }
  return diff_id;
}

void LayerCache::remember(const std::string& key, const std::string& diff_id) {
  database_.transaction([&](store::Transaction& transaction) {
    transaction.run(
        "INSERT INTO build_cache (key, diff_id, used) VALUES (?, ?, ?) "
        "ON CONFLICT (key) DO UPDATE SET diff_id = excluded.diff_id, used = excluded.used",
        {key, diff_id, to_rfc3339(now())});
  });
}

}  // namespace gantry::build
