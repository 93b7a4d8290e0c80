#include "merge.h"

#include <algorithm>

#include "gantry/base/text.h"
#include "mounts.h"
#include "ports.h"
#include "text.h"

namespace gantry::compose {

namespace {

/// How two values of the same key become one, where the kinds of the values do not already say it.
enum class How {
  replace,   ///< the later one
  settings,  ///< NAME=VALUE lists are mappings
  names,     ///< a list of names is a mapping from names to nothing
  list,      ///< one string is a list of one
  mounts,    ///< appended, unique by target
  tmpfs,
  ports,    ///< appended, unique by address, published port, target and protocol
  build,    ///< a string is the context
  logging,  ///< options belong to their driver
};

struct Rule {
  std::string_view pattern;  ///< "*" stands for one key
  How how;
};

constexpr Rule kRules[] = {
    {"services.*.annotations", How::settings},
    {"services.*.build", How::build},
    {"services.*.build.args", How::settings},
    {"services.*.build.labels", How::settings},
    {"services.*.command", How::replace},
    {"services.*.depends_on", How::names},
    {"services.*.deploy.labels", How::settings},
    {"services.*.dns", How::list},
    {"services.*.dns_search", How::list},
    {"services.*.entrypoint", How::replace},
    {"services.*.env_file", How::list},
    {"services.*.environment", How::settings},
    {"services.*.healthcheck.test", How::replace},
    {"services.*.labels", How::settings},
    {"services.*.logging", How::logging},
    {"services.*.networks", How::names},
    {"services.*.ports", How::ports},
    {"services.*.sysctls", How::settings},
    {"services.*.tmpfs", How::tmpfs},
    {"services.*.volumes", How::mounts},
    {"networks.*.labels", How::settings},
    {"volumes.*.labels", How::settings},
};

using Path = std::vector<std::string>;

bool matches(std::string_view pattern, const Path& path) {
  return std::ranges::equal(split(pattern, '.'), path,
                            [](const auto& want, const auto& have) { return want == "*" || want == have; });
}

std::optional<How> rule_for(const Path& path) {
  for (const auto& rule : kRules) {
    if (matches(rule.pattern, path)) return rule.how;
  }
  return std::nullopt;
}

void list_to_mapping(Node& node, bool with_values) {
  if (!node.is_sequence()) return;
  for (auto& item : node.items) {
    if (!item.is_scalar()) continue;
    auto equals = with_values ? item.text.find('=') : std::string::npos;
    Node value{.plain = equals == std::string::npos, .place = item.place};
    if (equals != std::string::npos) value.text = item.text.substr(equals + 1);
    // The last one of a list wins, as it does where the list is read.
    std::erase_if(node.entries, [&](const Entry& entry) { return entry.key == item.text.substr(0, equals); });
    node.entries.push_back({item.text.substr(0, equals), item.place, std::move(value)});
  }
  node.items.clear();
  node.kind = Node::Kind::mapping;
}

void scalar_to_list(Node& node) {
  if (!node.is_scalar()) return;
  Node list{.kind = Node::Kind::sequence, .place = node.place};
  list.items.push_back(std::move(node));
  node = std::move(list);
}

void build_to_mapping(Node& node) {
  if (!node.is_scalar()) return;
  Node mapping{.kind = Node::Kind::mapping, .place = node.place};
  auto place = node.place;
  mapping.entries.push_back({"context", place, std::move(node)});
  node = std::move(mapping);
}

void normalise(Node& node, How how) {
  switch (how) {
    case How::settings:
      return list_to_mapping(node, true);
    case How::names:
      return list_to_mapping(node, false);
    case How::list:
    case How::tmpfs:
      return scalar_to_list(node);
    case How::build:
      return build_to_mapping(node);
    default:
      return;
  }
}

void append(Node& base, Node over) {
  for (auto& item : over.items) base.items.push_back(std::move(item));
}

/// A later entry takes the place of the earlier one with the same identity.
template <class Identity>
void append_unique(Node& base, Node over, Identity identity) {
  for (auto& item : over.items) {
    auto same = std::ranges::find_if(base.items, [&](const Node& known) { return identity(known) == identity(item); });
    if (same != base.items.end()) {
      *same = std::move(item);
    } else {
      base.items.push_back(std::move(item));
    }
  }
}

void merge_mapping(Node& base, Node over, const Path& path) {
  for (auto& entry : over.entries) {
    auto* known = base.find(entry.key);
    if (entry.value.tag == "!reset") {
      std::erase_if(base.entries, [&](const Entry& each) { return each.key == entry.key; });
    } else if (known == nullptr) {
      base.entries.push_back(std::move(entry));
    } else {
      auto inner = path;
      inner.push_back(entry.key);
      merge(*known, std::move(entry.value), inner);
    }
  }
}

bool is_other_driver(const Node& base, const Node& over) {
  const auto* before = base.find("driver");
  const auto* after = over.find("driver");
  return before != nullptr && after != nullptr && before->text != after->text;
}

}  // namespace

void merge(Node& base, Node over, const Path& path) {
  auto how = rule_for(path);
  if (over.tag == "!override" || how == How::replace) {
    base = std::move(over);
    return;
  }
  // A key without a value says nothing about the value before it, except where a name is all there is to say.
  if (over.is_null() && !matches("services.*.environment.*", path)) return;
  if (how) {
    normalise(base, *how);
    normalise(over, *how);
  }
  if (base.kind != over.kind || over.is_scalar() || (how == How::logging && is_other_driver(base, over))) {
    base = std::move(over);
  } else if (over.is_mapping()) {
    merge_mapping(base, std::move(over), path);
  } else if (how == How::mounts) {
    append_unique(base, std::move(over), mount_identity);
  } else if (how == How::tmpfs) {
    append_unique(base, std::move(over), tmpfs_identity);
  } else if (how == How::ports) {
    append_unique(base, std::move(over), port_identity);
  } else {
    append(base, std::move(over));
  }
}

void settle_tags(Node& node) {
  node.tag.clear();
  std::erase_if(node.items, [](const Node& item) { return item.tag == "!reset"; });
  std::erase_if(node.entries, [](const Entry& entry) { return entry.value.tag == "!reset"; });
  for (auto& item : node.items) settle_tags(item);
  for (auto& entry : node.entries) settle_tags(entry.value);
}

std::size_t count_nodes(const Node& node) {
  std::size_t count = 1;
  for (const auto& item : node.items) count += count_nodes(item);
  for (const auto& entry : node.entries) count += count_nodes(entry.value);
  return count;
}

}  // namespace gantry::compose
