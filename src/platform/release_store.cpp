#include "release_store.h"

#include "gantry/base/json.h"

namespace gantry::platform {
namespace {

constexpr char kSelect[] = "SELECT name, wanted, release, applied, down, updated FROM stack";

StackRow row_from(const store::Row& row) {
  return {.name = row.text(0),
          .wanted_up = row.text(1) == "up",
          .release = row.number(2),
          .applied = row.number(3),
          .down = json::from_text<DownOptions>(row.text(4), "store: stack"),
          .updated = Timestamp(Duration(row.number(5)))};
}

std::int64_t nanos() { return now().time_since_epoch().count(); }

}  // namespace

store::Schema schema() {
  return {"platform", {R"(CREATE TABLE release(
                id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, stack TEXT NOT NULL,
                document TEXT NOT NULL, created INTEGER NOT NULL) STRICT;
              CREATE INDEX release_of_stack ON release(project, stack, id);
              CREATE TABLE stack(
                project TEXT NOT NULL, name TEXT NOT NULL, wanted TEXT NOT NULL CHECK(wanted IN ('up', 'down')),
                release INTEGER NOT NULL, applied INTEGER NOT NULL, down TEXT NOT NULL, updated INTEGER NOT NULL,
                PRIMARY KEY(project, name)) STRICT;)"}};
}

StackRow ReleaseStore::record_up(const compose::Stack& stack) {
  auto document = compose::canonical_text(stack);
  return database_.transaction([&](store::Transaction& t) {
    auto newest = t.number("SELECT max(id) FROM release WHERE project='default' AND stack=?", {stack.name});
    if (!newest || t.text("SELECT document FROM release WHERE id=?", {*newest}) != document) {
      t.run("INSERT INTO release(project, stack, document, created) VALUES('default', ?, ?, ?)",
            {stack.name, document, nanos()});
      newest = t.number("SELECT max(id) FROM release WHERE project='default' AND stack=?", {stack.name});
    }
    // applied=0 until the operation has ended, so that a crash in between is seen, also for an unchanged release.
    t.run(
        "INSERT INTO stack(project, name, wanted, release, applied, down, updated) VALUES('default', ?, 'up', ?, 0, "
        "'{}', ?) "
        "ON CONFLICT DO UPDATE SET wanted='up', release=excluded.release, applied=0, updated=excluded.updated",
        {stack.name, *newest, nanos()});
    StackRow row;
    t.query(std::string(kSelect) + " WHERE project='default' AND name=?", {stack.name},
            [&](const store::Row& found) { row = row_from(found); });
    return row;
  });
}

void ReleaseStore::record_applied(const std::string& stack, std::int64_t release) {
  database_.transaction([&](store::Transaction& t) {
    t.run("UPDATE stack SET applied=?, updated=? WHERE project='default' AND name=? AND release=?",
          {release, nanos(), stack, release});
  });
}

void ReleaseStore::record_down(const std::string& stack, const DownOptions& options) {
  database_.transaction([&](store::Transaction& t) {
    t.run("UPDATE stack SET wanted='down', down=?, updated=? WHERE project='default' AND name=?",
          {json::to_text(options), nanos(), stack});
  });
}

void ReleaseStore::forget(const std::string& stack) {
  database_.transaction(
      [&](store::Transaction& t) { t.run("DELETE FROM stack WHERE project='default' AND name=?", {stack}); });
}

std::optional<StackRow> ReleaseStore::find(const std::string& stack) const {
  return database_.transaction([&](store::Transaction& t) {
    std::optional<StackRow> out;
    t.query(std::string(kSelect) + " WHERE project='default' AND name=?", {stack},
            [&](const store::Row& row) { out = row_from(row); });
    return out;
  });
}

std::vector<StackRow> ReleaseStore::list() const {
  return database_.transaction([&](store::Transaction& t) {
    std::vector<StackRow> out;
    t.query(std::string(kSelect) + " ORDER BY name", {}, [&](const store::Row& row) { out.push_back(row_from(row)); });
    return out;
  });
}

std::optional<compose::Stack> ReleaseStore::document(std::int64_t release) const {
  auto text = database_.transaction(
      [&](store::Transaction& t) { return t.text("SELECT document FROM release WHERE id=?", {release}); });
  if (!text) return std::nullopt;
  return compose::stack_from_json(json::parse(*text, "store: release"));
}

}  // namespace gantry::platform
