#include "mirror_rows.h"

namespace gantry::distribution::rows {
namespace {

constexpr std::int64_t kOftenEnough = 60;

bool any(Transaction& t, std::string_view sql, const std::vector<store::Value>& values) {
  return t.number(sql, values).has_value();
}

}  // namespace

std::vector<MirroredRepository> mirrored_repositories(Transaction& t) {
  std::vector<MirroredRepository> out;
  t.query("SELECT repository, proxy FROM distribution_mirrors", {}, [&](const store::Row& row) {
    out.push_back({row.text(0), row.text(1)});
  });
  return out;
}
bool is_mirrored(Transaction& t, const std::string& repository) {
  return any(t, "SELECT 1 FROM distribution_mirrors WHERE repository=?", {repository});
}
bool is_own(Transaction& t, const std::string& repository) {
  if (is_mirrored(t, repository)) return false;
  return has_repository(t, repository) ||
         any(t, "SELECT 1 FROM distribution_uploads WHERE repository=? LIMIT 1", {repository});
}
void set_mirrored(Transaction& t, const std::string& repository, const std::string& proxy) {
  t.run("INSERT INTO distribution_mirrors VALUES (?,?) ON CONFLICT DO NOTHING", {repository, proxy});
}
void forget_mirrored(Transaction& t, const std::string& repository) {
  t.run("DELETE FROM distribution_manifests WHERE repository=?", {repository});
  t.run("DELETE FROM distribution_links WHERE repository=?", {repository});
  t.run("DELETE FROM distribution_mirrors WHERE repository=?", {repository});
}

std::optional<TagState> tag_state(Transaction& t, const std::string& repository, const std::string& name) {
  std::optional<TagState> out;
  t.query("SELECT digest, checked FROM distribution_tags WHERE repository=? AND name=?", {repository, name},
          [&](const store::Row& row) {
            out = TagState{row.text(0), row.number(1)};
          });
  return out;
}
void confirm_tag(Transaction& t, const std::string& repository, const std::string& name, const std::string& digest,
                 std::int64_t now) {
  set_tag(t, repository, name, digest);
  t.run("UPDATE distribution_tags SET checked=? WHERE repository=? AND name=?", {now, repository, name});
}
void touch(Transaction& t, const std::string& repository, const std::string& digest, std::int64_t now) {
  t.run("UPDATE distribution_manifests SET used=? WHERE repository=? AND digest=? AND used<?",
        {now, repository, digest, now - kOftenEnough});
}

std::optional<std::string> manifest_naming(Transaction& t, const std::string& repository, const std::string& blob) {
  return t.text(
      "SELECT m.text FROM distribution_references AS r JOIN distribution_manifests AS m ON m.repository=r.repository "
      "AND m.digest=r.manifest WHERE r.repository=? AND r.digest=? LIMIT 1",
      {repository, blob});
}
std::optional<BlobRow> sibling_blob(Transaction& t, const std::string& proxy, const std::string& digest) {
  std::optional<BlobRow> out;
  t.query(
      "SELECT b.size, b.shared FROM distribution_blobs AS b JOIN distribution_links AS l USING (digest) "
      "JOIN distribution_mirrors AS m ON m.repository=l.repository WHERE digest=? AND m.proxy=? LIMIT 1",
      {digest, proxy}, [&](const store::Row& row) {
        out = BlobRow{static_cast<std::uint64_t>(row.number(0)), row.number(1) != 0};
      });
  return out;
}

MirrorUse mirror_use(Transaction& t) {
  auto number = [&](std::string_view sql) { return static_cast<std::uint64_t>(t.number(sql).value_or(0)); };
  MirrorUse out;
  out.repositories = number(
      "SELECT count(DISTINCT repository) FROM distribution_manifests JOIN distribution_mirrors USING (repository)");
  out.blobs = number(
      "SELECT coalesce(sum(size), 0) FROM distribution_blobs AS b WHERE shared=0 AND EXISTS "
      "(SELECT 1 FROM distribution_links AS l WHERE l.digest=b.digest) AND NOT EXISTS "
      "(SELECT 1 FROM distribution_links AS l WHERE l.digest=b.digest AND l.repository NOT IN "
      "(SELECT repository FROM distribution_mirrors))");
  out.manifests =
      number("SELECT coalesce(sum(size), 0) FROM distribution_manifests JOIN distribution_mirrors USING (repository)");
  return out;
}
std::vector<MirroredManifest> longest_unused(Transaction& t, std::size_t skip, std::size_t count) {
  std::vector<MirroredManifest> out;
  t.query(
      "SELECT repository, digest, size, used FROM distribution_manifests JOIN distribution_mirrors USING (repository) "
      "ORDER BY used, digest LIMIT ? OFFSET ?",
      {count, skip}, [&](const store::Row& row) {
        out.push_back({row.text(0), row.text(1), static_cast<std::uint64_t>(row.number(2)), row.number(3)});
      });
  return out;
}
std::vector<std::string> references_of(Transaction& t, const std::string& repository, const std::string& manifest) {
  std::vector<std::string> out;
  t.query("SELECT digest FROM distribution_references WHERE repository=? AND manifest=?", {repository, manifest},
          [&](const store::Row& row) { out.push_back(row.text(0)); });
  return out;
}
std::vector<Link> mirrored_strays(Transaction& t, std::int64_t limit) {
  std::vector<Link> out;
  t.query(
      "SELECT l.repository, l.digest FROM distribution_links AS l JOIN distribution_mirrors USING (repository) "
      "WHERE l.added<? AND NOT EXISTS (SELECT 1 FROM distribution_references AS r WHERE r.repository=l.repository "
      "AND r.digest=l.digest)",
      {limit}, [&](const store::Row& row) {
        out.push_back({row.text(0), row.text(1)});
      });
  return out;
}

}  // namespace gantry::distribution::rows
