#include "record_store.h"

#include "gantry/base/json.h"
#include "gantry/engine/engine.h"
#include "sharing.h"

namespace gantry::engine {

store::Schema schema() {
  return {"engine", {R"(
CREATE TABLE containers(
  id TEXT PRIMARY KEY, project TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, id_slot INTEGER UNIQUE,
  info TEXT NOT NULL, internals TEXT NOT NULL, UNIQUE(project, name)) STRICT;
CREATE TABLE events(
  sequence INTEGER PRIMARY KEY, time INTEGER NOT NULL, type TEXT NOT NULL, action TEXT NOT NULL, id TEXT NOT NULL,
  name TEXT NOT NULL, attributes TEXT NOT NULL) STRICT;
)"}};
}

namespace {

// Each range has one owner: who joins another container's namespaces is a guest in that one's.
std::optional<std::int64_t> own_slot(const Record& record) {
  return joined_containers(record.info.spec.namespaces).empty() ? record.internals.id_slot : std::nullopt;
}

}  // namespace

std::vector<Record> RecordStore::load() const {
  return database_.transaction([](store::Transaction& t) {
    std::vector<Record> out;
    t.query("SELECT id, info, internals FROM containers", {}, [&](const store::Row& row) {
      auto what = "container " + row.text(0);
      Record record;
      record.info = json::from_text<ContainerInfo>(row.text(1), what);
      record.internals = json::from_text<Internals>(row.text(2), what);
      out.push_back(std::move(record));
    });
    return out;
  });
}

void RecordStore::insert(const Record& record, std::vector<Event> events, const Also& also) {
  const auto& info = record.info;
  events_.transaction(std::move(events), [&](store::Transaction& t) {
    t.run("INSERT INTO containers VALUES(?, ?, ?, ?, ?, ?, ?)",
          {info.id.str(), info.spec.project, info.spec.name, json::name_of(info.state), own_slot(record),
           json::to_text(info), json::to_text(record.internals)});
    if (also) also(t);
  });
}

void RecordStore::update(const Record& record, std::vector<Event> events, const Also& also) {
  const auto& info = record.info;
  events_.transaction(std::move(events), [&](store::Transaction& t) {
    t.run("UPDATE containers SET name=?, state=?, id_slot=?, info=?, internals=? WHERE id=?",
          {info.spec.name, json::name_of(info.state), own_slot(record), json::to_text(info),
           json::to_text(record.internals), info.id.str()});
    if (also) also(t);
  });
}

void RecordStore::erase(const ContainerId& id, std::vector<Event> events, const Also& also) {
  events_.transaction(std::move(events), [&](store::Transaction& t) {
    t.run("DELETE FROM containers WHERE id=?", {id.str()});
    if (also) also(t);
  });
}

}  // namespace gantry::engine
