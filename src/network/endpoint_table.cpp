#include "endpoint_table.h"

#include <algorithm>

#include "gantry/base/text.h"

namespace gantry::network {

EndpointRecord& EndpointTable::add(EndpointRecord record) {
  auto position = record.position;
  next_position_ = std::max(next_position_, position + 1);
  auto& kept = records_.emplace(position, std::move(record)).first->second;
  by_container_[kept.container].push_back(&kept);
  auto& shelf = shelves_[kept.network];
  shelf.by_address[kept.ipv4] = &kept;
  if (kept.ipv6) shelf.by_address[*kept.ipv6] = &kept;
  for (const auto& name : kept.names) shelf.by_name.emplace(lower(name), &kept);
  ++shelf.count;
  shelf.last = kept.ipv4;
  return kept;
}

void EndpointTable::forget_names(const EndpointRecord& record) {
  auto& names = shelves_[record.network].by_name;
  for (const auto& name : record.names) {
    auto [from, to] = names.equal_range(lower(name));
    auto own = std::find_if(from, to, [&](const auto& entry) { return entry.second == &record; });
    if (own != to) names.erase(own);
  }
}

void EndpointTable::erase(std::int64_t position) {
  auto found = records_.find(position);
  if (found == records_.end()) return;
  auto& record = found->second;
  forget_names(record);
  auto& shelf = shelves_[record.network];
  shelf.by_address.erase(record.ipv4);
  if (record.ipv6) shelf.by_address.erase(*record.ipv6);
  --shelf.count;
  auto siblings = by_container_.find(record.container);
  std::erase(siblings->second, &record);
  if (siblings->second.empty()) by_container_.erase(siblings);
  records_.erase(found);
}

void EndpointTable::rename(EndpointRecord& record, std::vector<std::string> names) {
  forget_names(record);
  record.names = std::move(names);
  for (const auto& name : record.names) shelves_[record.network].by_name.emplace(lower(name), &record);
}

void EndpointTable::forget(const NetworkId& network) { shelves_.erase(network); }

const std::vector<EndpointRecord*>& EndpointTable::of(const ContainerId& container) const {
  static const std::vector<EndpointRecord*> kNone;
  auto found = by_container_.find(container);
  return found == by_container_.end() ? kNone : found->second;
}

const EndpointTable::Shelf* EndpointTable::shelf(const NetworkId& network) const {
  auto found = shelves_.find(network);
  return found == shelves_.end() ? nullptr : &found->second;
}

EndpointRecord* EndpointTable::at(const NetworkId& network, const Address& address) const {
  const auto* on = shelf(network);
  if (on == nullptr) return nullptr;
  auto found = on->by_address.find(address);
  return found == on->by_address.end() ? nullptr : found->second;
}

std::vector<const EndpointRecord*> EndpointTable::named(const NetworkId& network, const std::string& name) const {
  std::vector<const EndpointRecord*> out;
  const auto* on = shelf(network);
  if (on == nullptr) return out;
  auto [from, to] = on->by_name.equal_range(name);
  for (auto entry = from; entry != to; ++entry) out.push_back(entry->second);
  // One endpoint may have the same name twice, in different letters.
  std::sort(out.begin(), out.end(), [](const auto* a, const auto* b) { return a->position < b->position; });
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::size_t EndpointTable::count(const NetworkId& network) const {
  const auto* on = shelf(network);
  return on == nullptr ? 0 : on->count;
}

std::optional<Address> EndpointTable::last(const NetworkId& network) const {
  const auto* on = shelf(network);
  return on == nullptr ? std::nullopt : on->last;
}

}  // namespace gantry::network
