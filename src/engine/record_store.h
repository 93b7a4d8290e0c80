#pragma once

#include <vector>

#include "event_log.h"
#include "record.h"

namespace gantry::engine {

/// The rows of containers. Each change is written in one transaction with the events that tell of it, and with what
/// else belongs to it (`also`). Everybody sees it at once and a crash of the process keeps it; it is on the disk when
/// store::Database::durable says so. Control thread.
class RecordStore {
 public:
  explicit RecordStore(store::Database& database, EventLog& events) : database_(database), events_(events) {}

  std::vector<Record> load() const;
  using Also = std::function<void(store::Transaction&)>;
  void insert(const Record& record, std::vector<Event> events, const Also& also = {});
  void update(const Record& record, std::vector<Event> events, const Also& also = {});
  void erase(const ContainerId& id, std::vector<Event> events, const Also& also = {});

 private:
  store::Database& database_;
  EventLog& events_;
};

}  // namespace gantry::engine
