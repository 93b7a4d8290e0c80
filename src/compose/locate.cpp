#include "locate.h"

#include <charconv>

namespace gantry::compose {

namespace {

struct Alias {
  std::string_view model;
  std::string_view file;
};

/// Members of the model that the file says elsewhere; the first that is there counts.
constexpr Alias kAliases[] = {
    {".limits.memory_and_swap", ".memswap_limit"},
    {".limits.memory_reservation", ".mem_reservation"},
    {".limits.memory_reservation", ".deploy.resources.reservations.memory"},
    {".limits.memory", ".mem_limit"},
    {".limits.memory", ".deploy.resources.limits.memory"},
    {".limits.cpus", ".cpus"},
    {".limits.cpus", ".deploy.resources.limits.cpus"},
    {".security.cap_add", ".cap_add"},
    {".security.cap_drop", ".cap_drop"},
    {".replicas", ".scale"},
    {".replicas", ".deploy.replicas"},
};

/// Names may contain dots, so the longest key that fits is taken.
const Entry* next_entry(const Node& node, std::string_view rest) {
  const Entry* best = nullptr;
  for (const auto& entry : node.entries) {
    bool fits = rest.starts_with(entry.key) &&
                (rest.size() == entry.key.size() || rest[entry.key.size()] == '.' || rest[entry.key.size()] == '[');
    if (fits && (best == nullptr || entry.key.size() > best->key.size())) best = &entry;
  }
  return best;
}

struct Walk {
  Place place;
  std::size_t length = 0;  ///< how much of the path was found
};

Walk walk(const std::string& path, const Node& root) {
  Walk result{root.place};
  const Node* node = &root;
  for (std::size_t at = 0; at < path.size();) {
    auto rest = std::string_view(path).substr(at);
    if (rest[0] == '[') {
      std::size_t index = 0;
      auto end = std::from_chars(rest.data() + 1, rest.data() + rest.size(), index).ptr;
      if (index >= node->items.size()) break;
      node = &node->items[index];
      at += static_cast<std::size_t>(end - rest.data()) + 1;
      result = {node->place, at};
      continue;
    }
    if (rest[0] == '.') rest.remove_prefix(1);
    const auto* entry = next_entry(*node, rest);
    if (entry == nullptr) break;
    at = path.size() - rest.size() + entry->key.size();
    node = &entry->value;
    bool is_block = !entry->value.is_scalar() && entry->value.place.line != entry->place.line;
    result = {is_block ? entry->place : entry->value.place, at};
  }
  return result;
}

}  // namespace

Written locate(const std::string& path, const Node& root, const Reader& reader) {
  if (auto found = reader.written.find(path); found != reader.written.end()) return found->second;
  for (const auto& alias : kAliases) {
    if (!path.ends_with(alias.model)) continue;
    auto other = path.substr(0, path.size() - alias.model.size()) + std::string(alias.file);
    if (auto result = walk(other, root); result.length == other.size()) return {other, result.place};
  }
  return {path, walk(path, root).place};
}

}  // namespace gantry::compose
