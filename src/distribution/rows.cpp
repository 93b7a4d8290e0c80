#include "rows.h"

namespace gantry::distribution {

store::Schema schema() {
  return {"distribution",
          {R"(
CREATE TABLE distribution_blobs (digest TEXT PRIMARY KEY, size INTEGER NOT NULL, shared INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE distribution_links (
  repository TEXT NOT NULL, digest TEXT NOT NULL REFERENCES distribution_blobs, added INTEGER NOT NULL,
  PRIMARY KEY (repository, digest)) WITHOUT ROWID;
CREATE INDEX distribution_links_digest ON distribution_links (digest);
CREATE TABLE distribution_manifests (
  repository TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT NOT NULL, subject TEXT, artifact_type TEXT NOT NULL,
  annotations TEXT NOT NULL, pushed INTEGER NOT NULL, size INTEGER NOT NULL, text TEXT NOT NULL,
  PRIMARY KEY (repository, digest));
CREATE INDEX distribution_manifests_subject ON distribution_manifests (repository, subject);
CREATE TABLE distribution_references (
  repository TEXT NOT NULL, manifest TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (repository, manifest, digest),
  FOREIGN KEY (repository, manifest) REFERENCES distribution_manifests ON DELETE CASCADE) WITHOUT ROWID;
CREATE INDEX distribution_references_digest ON distribution_references (repository, digest);
CREATE TABLE distribution_tags (
  repository TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (repository, name),
  FOREIGN KEY (repository, digest) REFERENCES distribution_manifests ON DELETE CASCADE) WITHOUT ROWID;
CREATE INDEX distribution_tags_digest ON distribution_tags (repository, digest);
CREATE TABLE distribution_uploads (id TEXT PRIMARY KEY, repository TEXT NOT NULL) WITHOUT ROWID;
)",
           // What comes from other registries: repositories that are mirrors, when a manifest was last
           // wanted, when a tag was last confirmed. Seconds since 1970.
           R"(
CREATE TABLE distribution_mirrors (repository TEXT PRIMARY KEY, proxy TEXT NOT NULL) WITHOUT ROWID;
ALTER TABLE distribution_manifests ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
ALTER TABLE distribution_tags ADD COLUMN checked INTEGER NOT NULL DEFAULT 0;
CREATE INDEX distribution_manifests_used ON distribution_manifests (used);
)"}};
}

namespace rows {
namespace {

std::vector<std::string> texts(Transaction& t, std::string_view sql, const std::vector<store::Value>& values) {
  std::vector<std::string> out;
  t.query(sql, values, [&](const store::Row& row) { out.push_back(row.text(0)); });
  return out;
}

std::vector<Link> links(Transaction& t, std::string_view sql, const std::vector<store::Value>& values) {
  std::vector<Link> out;
  t.query(sql, values, [&](const store::Row& row) { out.push_back({row.text(0), row.text(1)}); });
  return out;
}

std::optional<BlobRow> one_blob(Transaction& t, std::string_view sql, const std::vector<store::Value>& values) {
  std::optional<BlobRow> out;
  t.query(sql, values, [&](const store::Row& row) {
    out = BlobRow{static_cast<std::uint64_t>(row.number(0)), row.number(1) != 0};
  });
  return out;
}

}  // namespace

std::optional<BlobRow> blob(Transaction& t, const std::string& digest) {
  return one_blob(t, "SELECT size, shared FROM distribution_blobs WHERE digest=?", {digest});
}
std::optional<BlobRow> linked_blob(Transaction& t, const std::string& repository, const std::string& digest) {
  return one_blob(t,
                  "SELECT size, shared FROM distribution_blobs JOIN distribution_links USING (digest) "
                  "WHERE repository=? AND digest=?",
                  {repository, digest});
}
void insert_blob(Transaction& t, const std::string& digest, const BlobRow& row) {
  t.run("INSERT INTO distribution_blobs VALUES (?,?,?) ON CONFLICT DO NOTHING", {digest, row.size, row.shared});
}
void keep_blob(Transaction& t, const std::string& digest, std::uint64_t size) {
  t.run("INSERT INTO distribution_blobs VALUES (?,?,0) ON CONFLICT (digest) DO UPDATE SET shared=0", {digest, size});
}
void link(Transaction& t, const std::string& repository, const std::string& digest, std::int64_t now) {
  t.run(
      "INSERT INTO distribution_links VALUES (?,?,?) ON CONFLICT (repository, digest) DO UPDATE SET "
      "added=excluded.added",
      {repository, digest, now});
}
bool unlink(Transaction& t, const std::string& repository, const std::string& digest) {
  return t.run("DELETE FROM distribution_links WHERE repository=? AND digest=?", {repository, digest}) > 0;
}
std::vector<std::string> shared_blobs(Transaction& t) {
  return texts(t, "SELECT digest FROM distribution_blobs WHERE shared=1", {});
}
std::vector<std::string> all_files(Transaction& t) {
  return texts(t, "SELECT digest FROM distribution_blobs WHERE shared=0", {});
}

void insert_manifest(Transaction& t, const std::string& repository, const std::string& digest,
                     const ParsedManifest& parsed, const std::string& text, std::int64_t now) {
  t.run(
      "INSERT INTO distribution_manifests (repository, digest, media_type, subject, artifact_type, annotations, "
      "pushed, "
      "size, text) VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (repository, digest) DO UPDATE SET "
      "pushed=excluded.pushed",
      {repository, digest, parsed.media_type, parsed.subject, parsed.artifact_type, parsed.annotations, now,
       text.size(), text});
  for (const auto* list : {&parsed.blobs, &parsed.manifests})
    for (const auto& needed : *list)
      t.run("INSERT INTO distribution_references VALUES (?,?,?) ON CONFLICT DO NOTHING", {repository, digest, needed});
}
std::optional<ManifestRow> manifest(Transaction& t, const std::string& repository, const std::string& digest) {
  std::optional<ManifestRow> out;
  t.query("SELECT digest, media_type, text FROM distribution_manifests WHERE repository=? AND digest=?",
          {repository, digest}, [&](const store::Row& row) {
            out = ManifestRow{row.text(0), row.text(1), row.text(2)};
          });
  return out;
}
bool has_manifest(Transaction& t, const std::string& repository, const std::string& digest) {
  return t.number("SELECT 1 FROM distribution_manifests WHERE repository=? AND digest=?", {repository, digest})
      .has_value();
}
void delete_manifest(Transaction& t, const std::string& repository, const std::string& digest) {
  t.run("DELETE FROM distribution_manifests WHERE repository=? AND digest=?", {repository, digest});
}
std::vector<Referrer> referrers(Transaction& t, const std::string& repository, const std::string& subject) {
  std::vector<Referrer> out;
  t.query(
      "SELECT media_type, digest, artifact_type, size, annotations FROM distribution_manifests "
      "WHERE repository=? AND subject=? ORDER BY digest",
      {repository, subject}, [&](const store::Row& row) {
        out.push_back({row.text(0), row.text(1), row.text(2), static_cast<std::uint64_t>(row.number(3)), row.text(4)});
      });
  return out;
}
bool is_referred_to(Transaction& t, const std::string& repository, const std::string& digest) {
  return t.number("SELECT 1 FROM distribution_references WHERE repository=? AND digest=?", {repository, digest})
      .has_value();
}

std::optional<std::string> tag(Transaction& t, const std::string& repository, const std::string& name) {
  return t.text("SELECT digest FROM distribution_tags WHERE repository=? AND name=?", {repository, name});
}
std::vector<std::string> tags_of(Transaction& t, const std::string& repository, const std::string& digest) {
  return texts(t, "SELECT name FROM distribution_tags WHERE repository=? AND digest=?", {repository, digest});
}
void set_tag(Transaction& t, const std::string& repository, const std::string& name, const std::string& digest) {
  t.run(
      "INSERT INTO distribution_tags (repository, name, digest) VALUES (?,?,?) ON CONFLICT (repository, name) DO "
      "UPDATE SET digest=excluded.digest",
      {repository, name, digest});
}
void delete_tag(Transaction& t, const std::string& repository, const std::string& name) {
  t.run("DELETE FROM distribution_tags WHERE repository=? AND name=?", {repository, name});
}
std::vector<std::string> tags(Transaction& t, const std::string& repository, std::size_t limit,
                              const std::string& after) {
  return texts(t, "SELECT name FROM distribution_tags WHERE repository=? AND name>? ORDER BY name LIMIT ?",
               {repository, after, limit});
}
bool has_repository(Transaction& t, const std::string& name) {
  return t
      .number(
          "SELECT 1 FROM distribution_manifests WHERE repository=? UNION ALL "
          "SELECT 1 FROM distribution_links WHERE repository=? LIMIT 1",
          {name, name})
      .has_value();
}
std::vector<std::string> repositories(Transaction& t, std::size_t limit, const std::string& after) {
  return texts(t, "SELECT DISTINCT repository FROM distribution_manifests WHERE repository>? ORDER BY 1 LIMIT ?",
               {after, limit});
}
RepositoryInfo describe(Transaction& t, const std::string& repository) {
  RepositoryInfo out;
  out.name = repository;
  auto count = [&](std::string_view sql) {
    return static_cast<std::uint64_t>(t.number(sql, {repository}).value_or(0));
  };
  out.tags = count("SELECT count(*) FROM distribution_tags WHERE repository=?");
  out.manifests = count("SELECT count(*) FROM distribution_manifests WHERE repository=?");
  out.size = count(
      "SELECT coalesce(sum(size), 0) FROM distribution_blobs JOIN distribution_links USING (digest) WHERE "
      "repository=?");
  out.pushed =
      Timestamp(std::chrono::seconds(count("SELECT max(pushed) FROM distribution_manifests WHERE repository=?")));
  out.mirrored = count("SELECT count(*) FROM distribution_mirrors WHERE repository=?") > 0;
  return out;
}

void insert_upload(Transaction& t, const UploadRow& upload) {
  t.run("INSERT INTO distribution_uploads VALUES (?,?)", {upload.id, upload.repository});
}
std::optional<UploadRow> upload(Transaction& t, const std::string& id) {
  auto repository = t.text("SELECT repository FROM distribution_uploads WHERE id=?", {id});
  return repository ? std::optional(UploadRow{id, *repository}) : std::nullopt;
}
std::vector<UploadRow> uploads(Transaction& t) {
  std::vector<UploadRow> out;
  t.query("SELECT id, repository FROM distribution_uploads", {}, [&](const store::Row& row) {
    out.push_back({row.text(0), row.text(1)});
  });
  return out;
}
void delete_upload(Transaction& t, const std::string& id) {
  t.run("DELETE FROM distribution_uploads WHERE id=?", {id});
}

std::vector<Link> untagged(Transaction& t, std::int64_t limit, std::size_t count) {
  return links(
      t,
      "SELECT repository, digest FROM distribution_manifests AS m WHERE pushed<? AND "
      "repository NOT IN (SELECT repository FROM distribution_mirrors) "
      "AND NOT EXISTS (SELECT 1 FROM distribution_manifests AS s "
      "WHERE s.repository=m.repository AND s.digest=m.subject) AND "
      "NOT EXISTS (SELECT 1 FROM distribution_tags AS g WHERE g.repository=m.repository AND g.digest=m.digest) "
      "AND NOT EXISTS (SELECT 1 FROM distribution_references AS r "
      "WHERE r.repository=m.repository AND r.digest=m.digest) LIMIT ?",
      {limit, count});
}
std::vector<Link> unused_links(Transaction& t, std::int64_t limit, std::size_t count) {
  return links(t,
               "SELECT repository, digest FROM distribution_links AS l WHERE added<? AND NOT EXISTS "
               "(SELECT 1 FROM distribution_references AS r WHERE r.repository=l.repository AND r.digest=l.digest) "
               "LIMIT ?",
               {limit, count});
}
std::vector<std::string> unlinked_blobs(Transaction& t, std::size_t count) {
  return texts(t,
               "SELECT digest FROM distribution_blobs AS b WHERE NOT EXISTS "
               "(SELECT 1 FROM distribution_links AS l WHERE l.digest=b.digest) LIMIT ?",
               {count});
}
bool delete_unlinked(Transaction& t, const std::string& digest) {
  return t.run(
             "DELETE FROM distribution_blobs WHERE digest=? AND NOT EXISTS "
             "(SELECT 1 FROM distribution_links WHERE digest=?)",
             {digest, digest}) > 0;
}

Totals totals(Transaction& t) {
  Totals out;
  auto count = [&](std::string_view sql) { return static_cast<std::uint64_t>(t.number(sql).value_or(0)); };
  out.repositories = count("SELECT count(DISTINCT repository) FROM distribution_manifests");
  out.tags = count("SELECT count(*) FROM distribution_tags");
  out.manifests = count("SELECT count(*) FROM distribution_manifests");
  out.blobs = count("SELECT count(*) FROM distribution_blobs");
  out.uploads = count("SELECT count(*) FROM distribution_uploads");
  out.bytes = count("SELECT coalesce(sum(size), 0) FROM distribution_blobs WHERE shared=0");
  out.shared_bytes = count("SELECT coalesce(sum(size), 0) FROM distribution_blobs WHERE shared=1");
  return out;
}

}  // namespace rows
}  // namespace gantry::distribution
