#include <fmt/format.h>
#include <fmt/ranges.h>

#include "impl.h"

namespace gantry::engine {

void Engine::Impl::commit(Container& container, Transition transition, const std::function<void(Record&)>& change,
                          std::vector<Event> events_of, const RecordStore::Also& also) {
  auto next = require_next_state(container.state(), transition, container.name());
  auto changed = [&](Record& record) {
    record.info.state = next;
    change(record);
  };
  amend(container, changed, std::move(events_of), also);
}

void Engine::Impl::amend(Container& container, const std::function<void(Record&)>& change, std::vector<Event> events_of,
                         const RecordStore::Also& also) {
  Record next = container.record;
  change(next);
  if (container.stored) {
    records.update(next, std::move(events_of), also);
  } else {
    events_of.insert(events_of.begin(), created_event(container));
    records.insert(next, std::move(events_of), also);
    container.stored = true;
  }
  container.record = std::move(next);
  wake(container);
}

Event Engine::Impl::created_event(const Container& container) const {
  const auto& off = container.record.info.isolation_off;
  return event(container, "create", off.empty() ? "" : "isolation_off", fmt::format("{}", fmt::join(off, ",")));
}

task<> Engine::Impl::durable() { co_await parts.database.durable(parts.pool); }

void Engine::Impl::wake(Container& container) {
  container.changed.notify();
  container.log_changed.notify();
}

Event Engine::Impl::event(const Container& container, std::string action, const std::string& key,
                          std::string value) const {
  const auto& info = container.record.info;
  Event out;
  out.time = now();
  out.type = "container";
  out.action = std::move(action);
  out.id = info.id.str();
  out.name = info.spec.name;
  out.attributes = info.spec.labels;
  out.attributes["image"] = info.spec.image;
  out.attributes["project"] = info.spec.project;
  if (!key.empty()) out.attributes[key] = std::move(value);
  return out;
}

void Engine::Impl::step(std::string_view name) const {
  if (parts.on_step) parts.on_step(name);
}

}  // namespace gantry::engine
