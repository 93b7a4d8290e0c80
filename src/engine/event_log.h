#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/engine/types.h"
#include "gantry/store/store.h"
#include "notifier.h"

namespace gantry::engine {

inline constexpr std::int64_t kKeptEvents = 10'000;

/// The last 10,000 events, in the store. Readers keep nothing but a place in it, so that a slow one costs nothing and
/// holds up nobody. Control thread only.
class EventLog : public std::enable_shared_from_this<EventLog> {
 public:
  EventLog(asio::any_io_executor executor, store::Database& database);

  /// One transaction: `body`, what was published before, and `events`; then readers are woken. On the disk when
  /// store::Database::durable says so.
  void transaction(std::vector<Event> events, const std::function<void(store::Transaction&)>& body);
  /// For events without a state change: written together with others of the same moment.
  void publish(Event event);
  /// Writes what was published and is still waiting. Called by itself.
  void flush();

  /// See Engine::events.
  task<> read(std::optional<Timestamp> since, bool follow, std::function<task<>(Event)> sink);
  /// Ends all readers with an Error (cancelled).
  void close();

 private:
  std::int64_t write(store::Transaction& transaction, std::vector<Event>& events);
  std::int64_t first_since(Timestamp since);
  std::vector<Event> after(std::int64_t sequence);

  asio::any_io_executor executor_;
  store::Database& database_;
  Notifier grown_;
  std::vector<Event> pending_;
  std::int64_t last_ = 0;
  bool flush_posted_ = false;
  bool closed_ = false;
};

}  // namespace gantry::engine
