#include "rows.h"

#include "gantry/image/image_store.h"

namespace gantry::image {

store::Schema schema() {
  return {"image",
          {R"(
CREATE TABLE layers(
  diff_id TEXT PRIMARY KEY, size INTEGER NOT NULL, tar_bytes INTEGER NOT NULL,
  canonical INTEGER NOT NULL) STRICT;
CREATE TABLE images(id TEXT PRIMARY KEY, manifest TEXT NOT NULL, keep INTEGER NOT NULL) STRICT;
CREATE TABLE image_layers(
  image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE, position INTEGER NOT NULL,
  diff_id TEXT NOT NULL REFERENCES layers(diff_id), PRIMARY KEY(image, position)) STRICT;
CREATE INDEX image_layers_diff_id ON image_layers(diff_id);
CREATE TABLE image_blobs(
  image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE, digest TEXT NOT NULL,
  PRIMARY KEY(image, digest)) STRICT;
CREATE TABLE image_names(name TEXT PRIMARY KEY, image TEXT NOT NULL REFERENCES images(id)) STRICT;
CREATE INDEX image_names_image ON image_names(image);
)",
           R"(
ALTER TABLE image_names ADD COLUMN named INTEGER NOT NULL DEFAULT 0;
CREATE TABLE image_digests(
  repository TEXT NOT NULL, digest TEXT NOT NULL, image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
  PRIMARY KEY(repository, digest)) STRICT;
CREATE INDEX image_digests_image ON image_digests(image);
)",
           R"(
CREATE TABLE layer_forms(
  diff_id TEXT NOT NULL REFERENCES layers(diff_id) ON DELETE CASCADE, registry TEXT NOT NULL,
  repository TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, media_type TEXT NOT NULL,
  PRIMARY KEY(diff_id, registry, repository, digest)) STRICT;
)",
           R"(
ALTER TABLE layers ADD COLUMN damaged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE images ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
)"}};
}

namespace rows {
namespace {

std::vector<std::string> texts(Transaction& t, std::string_view sql, const std::vector<store::Value>& values = {}) {
  std::vector<std::string> out;
  t.query(sql, values, [&](const store::Row& row) { out.push_back(row.text(0)); });
  return out;
}

std::vector<Image> images(Transaction& t, std::string_view condition, const std::vector<store::Value>& values = {}) {
  std::vector<Image> out;
  t.query("SELECT id, manifest FROM images " + std::string(condition), values, [&](const store::Row& row) {
    out.push_back({row.text(0), row.text(1)});
  });
  return out;
}

std::optional<Image> first(std::vector<Image> found) {
  if (found.empty()) return std::nullopt;
  return found.front();
}

Layer to_layer(const store::Row& row) {
  return {row.text(0), static_cast<std::uint64_t>(row.number(1)), static_cast<std::uint64_t>(row.number(2))};
}

}  // namespace

void insert_layer(Transaction& t, const Layer& layer, bool canonical) {
  t.run("INSERT OR IGNORE INTO layers(diff_id, size, tar_bytes, canonical) VALUES(?, ?, ?, ?)",
        {layer.diff_id, layer.size, layer.tar_bytes, canonical});
}

void replace_layer(Transaction& t, const Layer& layer) {
  t.run("UPDATE layers SET size=?, damaged=0 WHERE diff_id=?", {layer.size, layer.diff_id});
}

bool is_damaged(Transaction& t, const std::string& diff_id) {
  return t.number("SELECT damaged FROM layers WHERE diff_id=?", {diff_id}).value_or(0) != 0;
}

void set_damaged(Transaction& t, const std::string& diff_id, bool damaged) {
  t.run("UPDATE layers SET damaged=? WHERE diff_id=?", {damaged, diff_id});
}

std::optional<Layer> layer(Transaction& t, const std::string& diff_id) {
  std::optional<Layer> out;
  t.query("SELECT diff_id, size, tar_bytes FROM layers WHERE diff_id=?", {diff_id},
          [&](const store::Row& row) { out = to_layer(row); });
  return out;
}

std::vector<std::string> all_layers(Transaction& t) { return texts(t, "SELECT diff_id FROM layers"); }

std::vector<Layer> unused_layers(Transaction& t) {
  std::vector<Layer> out;
  t.query("SELECT diff_id, size, tar_bytes FROM layers WHERE diff_id NOT IN (SELECT diff_id FROM image_layers)", {},
          [&](const store::Row& row) { out.push_back(to_layer(row)); });
  return out;
}

std::vector<SharedLayer> shared_layers(Transaction& t) {
  std::vector<SharedLayer> out;
  t.query(
      "SELECT diff_id, size, tar_bytes, (SELECT count(DISTINCT image) FROM image_layers i WHERE "
      "i.diff_id=layers.diff_id) FROM layers",
      {}, [&](const store::Row& row) {
        out.push_back({to_layer(row), static_cast<std::uint64_t>(row.number(3))});
      });
  return out;
}

bool is_canonical(Transaction& t, const std::string& diff_id) {
  return t.number("SELECT canonical FROM layers WHERE diff_id=?", {diff_id}).value_or(0) != 0;
}

void insert_form(Transaction& t, const std::string& diff_id, const LayerForm& form) {
  t.run("INSERT OR REPLACE INTO layer_forms VALUES(?, ?, ?, ?, ?, ?)",
        {diff_id, form.registry, form.repository, form.digest, form.size, form.media_type});
}

std::vector<LayerForm> forms_of(Transaction& t, const std::string& diff_id) {
  std::vector<LayerForm> out;
  t.query(
      "SELECT registry, repository, digest, size, media_type FROM layer_forms WHERE diff_id=? ORDER BY rowid DESC",
      {diff_id}, [&](const store::Row& row) {
        out.push_back({row.text(0), row.text(1), row.text(2), static_cast<std::uint64_t>(row.number(3)), row.text(4)});
      });
  return out;
}

void delete_layer(Transaction& t, const std::string& diff_id) {
  t.run("DELETE FROM layers WHERE diff_id=?", {diff_id});
}

void insert_image(Transaction& t, const NewImage& image) {
  const auto& id = image.image.id;
  t.run(
      "INSERT INTO images(id, manifest, keep) VALUES(?, ?, ?) ON CONFLICT(id) DO UPDATE SET keep=max(keep, "
      "excluded.keep)",
      {id, image.image.manifest, image.keep});
  for (std::size_t i = 0; i < image.diff_ids.size(); ++i)
    t.run("INSERT OR IGNORE INTO image_layers VALUES(?, ?, ?)", {id, static_cast<std::int64_t>(i), image.diff_ids[i]});
  for (const auto& digest : image.blobs) t.run("INSERT OR IGNORE INTO image_blobs VALUES(?, ?)", {id, digest});
}

std::optional<Image> image(Transaction& t, const std::string& id) { return first(images(t, "WHERE id=?", {id})); }
std::vector<Image> all_images(Transaction& t) { return images(t, "ORDER BY rowid"); }

std::optional<Image> image_by_name(Transaction& t, const std::string& canonical) {
  return first(images(t, "WHERE id=(SELECT image FROM image_names WHERE name=?)", {canonical}));
}

std::vector<Image> images_by_manifest(Transaction& t, const std::string& digest) {
  return images(t, "WHERE manifest=?", {digest});
}

std::vector<Image> images_by_prefix(Transaction& t, const std::string& hex) {
  return images(t, "WHERE substr(id, 1, ?)=?", {static_cast<std::int64_t>(hex.size() + 7), "sha256:" + hex});
}

std::vector<std::string> layers_of(Transaction& t, const std::string& id) {
  return texts(t, "SELECT diff_id FROM image_layers WHERE image=? ORDER BY position", {id});
}

std::uint64_t size_of(Transaction& t, const std::string& id) {
  auto total =
      t.number("SELECT sum(size) FROM layers WHERE diff_id IN (SELECT diff_id FROM image_layers WHERE image=?)", {id});
  return static_cast<std::uint64_t>(total.value_or(0));
}

void delete_image(Transaction& t, const std::string& id) {
  t.run("DELETE FROM image_names WHERE image=?", {id});
  t.run("DELETE FROM images WHERE id=?", {id});
}

std::vector<std::string> blobs_of(Transaction& t, const std::string& id) {
  return texts(t, "SELECT digest FROM image_blobs WHERE image=? ORDER BY digest", {id});
}

void set_used(Transaction& t, const std::string& id, Timestamp at) {
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count();
  t.run("UPDATE images SET used=max(used, ?) WHERE id=?", {static_cast<std::int64_t>(seconds), id});
}

std::optional<Timestamp> last_used(Transaction& t, const std::string& id) {
  auto seconds = t.number("SELECT used FROM images WHERE id=?", {id}).value_or(0);
  if (seconds == 0) return std::nullopt;
  return Timestamp(std::chrono::seconds(seconds));
}

std::vector<std::string> dangling(Transaction& t) {
  return texts(t, "SELECT id FROM images WHERE keep=0 AND id NOT IN (SELECT image FROM image_names)");
}

void forget(Transaction& t, const std::string& id) { t.run("UPDATE images SET keep=0 WHERE id=?", {id}); }

void set_name(Transaction& t, const std::string& canonical, const std::string& id, Timestamp at) {
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count();
  t.run(
      "INSERT INTO image_names VALUES(?, ?, ?) ON CONFLICT(name) DO UPDATE SET image=excluded.image, "
      "named=excluded.named",
      {canonical, id, static_cast<std::int64_t>(seconds)});
}

std::optional<Timestamp> last_named(Transaction& t, const std::string& id) {
  auto seconds = t.number("SELECT max(named) FROM image_names WHERE image=?", {id}).value_or(0);
  if (seconds == 0) return std::nullopt;
  return Timestamp(std::chrono::seconds(seconds));
}

void set_digest(Transaction& t, const std::string& repository, const std::string& digest, const std::string& id) {
  t.run("INSERT INTO image_digests VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET image=excluded.image",
        {repository, digest, id});
}

void delete_digest(Transaction& t, const std::string& repository, const std::string& digest) {
  t.run("DELETE FROM image_digests WHERE repository=? AND digest=?", {repository, digest});
}

std::vector<std::string> digests_of(Transaction& t, const std::string& id) {
  return texts(t, "SELECT repository || '@' || digest FROM image_digests WHERE image=? ORDER BY 1", {id});
}

std::optional<Image> image_by_digest(Transaction& t, const std::string& repository, const std::string& digest) {
  return first(
      images(t, "WHERE id=(SELECT image FROM image_digests WHERE repository=? AND digest=?)", {repository, digest}));
}

void delete_name(Transaction& t, const std::string& canonical) {
  t.run("DELETE FROM image_names WHERE name=?", {canonical});
}

std::vector<std::string> names_of(Transaction& t, const std::string& id) {
  return texts(t, "SELECT name FROM image_names WHERE image=? ORDER BY name", {id});
}

std::vector<std::string> all_names(Transaction& t) { return texts(t, "SELECT name FROM image_names ORDER BY name"); }

std::set<std::string> all_blobs(Transaction& t) {
  auto list = texts(t, "SELECT DISTINCT digest FROM image_blobs");
  return {list.begin(), list.end()};
}

}  // namespace rows
}  // namespace gantry::image
