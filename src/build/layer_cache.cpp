#include "layer_cache.h"

#include "gantry/base/error.h"
#include "gantry/base/time.h"
#include "gantry/build/builder.h"

namespace gantry::build {

store::Schema schema() {
  return {"build",
          {"CREATE TABLE build_cache (key TEXT PRIMARY KEY, diff_id TEXT NOT NULL, used TEXT NOT NULL) STRICT;",
           "ALTER TABLE build_cache ADD COLUMN created TEXT NOT NULL DEFAULT '';",
           "CREATE TABLE build_record (image TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;"}};
}

std::optional<LayerCache::Hit> LayerCache::find(const std::string& key, image::ImageStore::Lease& lease) {
  auto hit = database_.transaction([&](store::Transaction& transaction) {
    std::optional<Hit> found;
    transaction.query("SELECT diff_id, created FROM build_cache WHERE key = ?", {key}, [&](const store::Row& row) {
      found = Hit{row.text(0), row.text(1)};
    });
    if (found) transaction.run("UPDATE build_cache SET used = ? WHERE key = ?", {to_rfc3339(now()), key});
    return found;
  });
  if (!hit) return std::nullopt;
  try {
    images_.hold(lease, hit->diff_id);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    database_.transaction([&](store::Transaction& transaction) {
      transaction.run("DELETE FROM build_cache WHERE diff_id = ?", {hit->diff_id});
    });
    return std::nullopt;
  }
  return hit;
}

std::int64_t LayerCache::last_used(const std::string& diff_id) const {
  auto text = database_.transaction([&](store::Transaction& transaction) {
    return transaction.text("SELECT max(used) FROM build_cache WHERE diff_id = ?", {diff_id});
  });
  auto at = from_rfc3339(text.value_or(""));
  return at ? std::chrono::duration_cast<std::chrono::seconds>(at->time_since_epoch()).count() : 0;
}

LayerCache::Hit LayerCache::settle(const std::string& key, const Hit& made, image::ImageStore::Lease& lease) {
  std::lock_guard lock(settling_);
  if (auto other = find(key, lease)) return *other;
  remember(key, made);
  return made;
}

void LayerCache::remember(const std::string& key, const Hit& made) {
  database_.transaction([&](store::Transaction& transaction) {
    transaction.run(
        "INSERT INTO build_cache (key, diff_id, used, created) VALUES (?, ?, ?, ?) ON CONFLICT (key) "
        "DO UPDATE SET diff_id = excluded.diff_id, used = excluded.used, created = excluded.created",
        {key, made.diff_id, to_rfc3339(now()), made.created});
  });
}

}  // namespace gantry::build
