#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "findings.h"

namespace gantry::compose {

struct Entry;

/// A YAML value with its place. Aliases and merge keys are already resolved into copies. Scalars stay text: what a
/// text means (number, duration, size) is known only by the key it belongs to.
struct Node {
  enum class Kind { scalar, sequence, mapping };
  Kind kind = Kind::scalar;
  bool plain = true;  ///< scalar only: without quotes, so that it can be null
  std::string text;
  std::string tag;  ///< "!reset", "!override" or empty
  Place place;
  std::vector<Node> items;
  std::vector<Entry> entries;

  bool is_null() const;
  bool is_scalar() const { return kind == Kind::scalar; }
  bool is_sequence() const { return kind == Kind::sequence; }
  bool is_mapping() const { return kind == Kind::mapping; }
  const Node* find(std::string_view key) const;
  Node* find(std::string_view key);
};

struct Entry {
  std::string key;
  Place place;
  Node value;
};

/// "a mapping", "a list", "nothing", "a string": for messages.
std::string_view kind_name(const Node& node);

/// Parses one document. Reports syntax errors, duplicate keys, unknown aliases and tags, and what is too big or too
/// deep (alias bombs included); nullopt when there is nothing to go on with. An empty file is an empty mapping.
std::optional<Node> parse_yaml(std::string_view text, const Source& source, Findings& findings);

}  // namespace gantry::compose
