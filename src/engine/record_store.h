#pragma once

#include <vector>

#include "event_log.h"
#include "record.h"

namespace gantry::engine {

/// The rows of containers. Each change is written in one transaction with the events that tell of it. Control thread.
class RecordStore {
 public:
  explicit RecordStore(store::Database& database, EventLog& events) : database_(database), events_(events) {}

  std::vector<Record> load() const;
  void insert(const Record& record, std::vector<Event> events);
  void update(const Record& record, std::vector<Event> events);
  void erase(const ContainerId& id, std::vector<Event> events);

 private:
  store::Database& database_;
  EventLog& events_;
};

}  // namespace gantry::engine
