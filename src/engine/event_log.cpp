#include "event_log.h"

#include "gantry/base/json.h"
#include "gantry/base/log.h"

namespace gantry::engine {
namespace {

constexpr std::int64_t kPruneEvery = 256;
constexpr int kPage = 256;

Event to_event(const store::Row& row) {
  Event event;
  event.sequence = row.number(0);
  event.time = Timestamp(Duration(row.number(1)));
  event.type = row.text(2);
  event.action = row.text(3);
  event.id = row.text(4);
  event.name = row.text(5);
  event.attributes = json::from_text<std::map<std::string, std::string>>(row.text(6), "event");
  return event;
}

}  // namespace

EventLog::EventLog(asio::any_io_executor executor, store::Database& database)
    : executor_(executor), database_(database), grown_(std::move(executor)) {
  last_ = database_.transaction(
      [](store::Transaction& t) { return t.number("SELECT max(sequence) FROM events").value_or(0); });
}

void EventLog::transaction(std::vector<Event> events, const std::function<void(store::Transaction&)>& body) {
  auto last = database_.write([&](store::Transaction& t) {
    body(t);
    events.insert(events.begin(), pending_.begin(), pending_.end());
    return write(t, events);
  });
  pending_.clear();
  if (last == last_) return;
  last_ = last;
  grown_.notify();
}

void EventLog::publish(Event event) {
  if (event.time == Timestamp{}) event.time = now();
  pending_.push_back(std::move(event));
  if (std::exchange(flush_posted_, true)) return;
  asio::post(executor_, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->flush();
  });
}

void EventLog::flush() {
  flush_posted_ = false;
  if (pending_.empty()) return;
  try {
    transaction({}, [](store::Transaction&) {});
  } catch (const Error& error) {
    // Kept for the next transaction, within the bound that applies to them anyway.
    log::warn("events are waiting to be written: {}", error.message());
    if (pending_.size() > static_cast<std::size_t>(kKeptEvents)) pending_.clear();
  }
}

// Returns the last sequence number; `last_` follows only once the transaction is committed.
std::int64_t EventLog::write(store::Transaction& t, std::vector<Event>& events) {
  auto sequence = last_;
  for (const auto& event : events) {
    t.run("INSERT INTO events VALUES(?, ?, ?, ?, ?, ?, ?)",
          {++sequence, event.time.time_since_epoch().count(), event.type, event.action, event.id, event.name,
           json::to_text(event.attributes)});
    if (sequence % kPruneEvery == 0) t.run("DELETE FROM events WHERE sequence<=?", {sequence - kKeptEvents});
  }
  return sequence;
}

std::int64_t EventLog::first_since(Timestamp since) {
  return database_.transaction([&](store::Transaction& t) {
    return t.number("SELECT min(sequence) FROM events WHERE time>=?", {since.time_since_epoch().count()})
        .value_or(last_ + 1);
  });
}

std::vector<Event> EventLog::after(std::int64_t sequence) {
  std::vector<Event> out;
  database_.transaction([&](store::Transaction& t) {
    t.query(
        "SELECT sequence, time, type, action, id, name, attributes FROM events WHERE sequence>? "
        "ORDER BY sequence LIMIT ?",
        {sequence, kPage}, [&](const store::Row& row) { out.push_back(to_event(row)); });
  });
  return out;
}

task<> EventLog::read(std::optional<Timestamp> since, bool follow, std::function<task<>(Event)> sink) {
  auto self = shared_from_this();
  flush();
  std::int64_t place = last_;
  if (since || !follow) place = first_since(since.value_or(Timestamp{})) - 1;
  for (;;) {
    if (closed_) throw Error(ErrorKind::cancelled, "gantryd is stopping");
    auto page = after(place);
    if (page.empty()) {
      if (!follow) co_return;
      co_await grown_.wait();
      continue;
    }
    if (page.front().sequence != place + 1)
      throw Error(ErrorKind::exhausted, "the reader of events fell more than 10000 events behind",
                  "read faster, or ask again from a later time");
    for (auto& event : page) {
      place = event.sequence;
      co_await sink(std::move(event));
    }
  }
}

void EventLog::close() {
  flush();
  closed_ = true;
  grown_.notify();
}

}  // namespace gantry::engine
