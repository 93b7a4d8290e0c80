#include "extends.h"

#include <algorithm>

#include "merge.h"

namespace gantry::compose {

namespace {

constexpr std::size_t kMaximumNodes = 300'000;

struct Target {
  std::string service;
  std::string file;
};

constexpr Key<Target> kTargetKeys[] = {
    {"service", into<&Target::service>},
    {"file", into<&Target::file>},
};

std::vector<std::string> names_of(const Node& services) {
  std::vector<std::string> names;
  for (const auto& entry : services.entries) names.push_back(entry.key);
  return names;
}

class Resolver {
 public:
  Resolver(Reader& reader, const OpenFile& open) : reader_(reader), open_(open) {}

  void services(Node& root, const std::string& file) {
    auto* services = root.find("services");
    if (services == nullptr || !services->is_mapping()) return;
    for (auto& entry : services->entries) service(root, file, entry);
  }

 private:
  /// `entry` with its `extends` replaced. `chain_` are the services whose turn it is, outermost first.
  void service(Node& root, const std::string& file, Entry& entry) {
    auto* extends = entry.value.find("extends");
    if (extends == nullptr || extends->is_null()) return;
    Value value(*extends, "services." + entry.key + ".extends", reader_);
    auto me = std::pair(file, entry.key);
    if (std::ranges::find(chain_, me) != chain_.end()) {
      value.invalid(fmt::format("'extends' goes in a circle: {}", circle(me)));
      return remove(entry.value);
    }
    chain_.push_back(me);
    auto base = base_of(root, file, value);
    chain_.pop_back();
    remove(entry.value);
    if (!base) return;
    spend(value, *base);
    merge(*base, std::move(entry.value), {"services", entry.key});
    entry.value = std::move(*base);
  }

  std::optional<Node> base_of(Node& root, const std::string& file, const Value& value) {
    Target target;
    if (value.node().is_scalar()) {
      target.service = value.node().text;
    } else if (!read_keys<Target>(value, kTargetKeys, target)) {
      return std::nullopt;
    }
    if (target.service.empty()) {
      value.invalid("the key 'service' is missing");
      return std::nullopt;
    }
    if (target.file.empty()) return find(root, file, target.service, value);
    auto path = value.resolve(target.file);
    if (chain_.size() > 32) {
      value.invalid("'extends' goes through more than 32 services");
      return std::nullopt;
    }
    auto other = open_(path, value);
    return other ? find(*other, path.string(), target.service, value) : std::nullopt;
  }

  std::optional<Node> find(Node& root, const std::string& file, const std::string& name, const Value& value) {
    auto* services = root.find("services");
    auto known = services != nullptr ? names_of(*services) : std::vector<std::string>();
    auto found = std::ranges::find(known, name);
    if (found == known.end()) {
      value.invalid(fmt::format("there is no service '{}' in {}{}", name, file, did_you_mean(name, known)));
      return std::nullopt;
    }
    Entry copy = services->entries[static_cast<std::size_t>(found - known.begin())];
    spend(value, copy.value);
    service(root, file, copy);
    return std::move(copy.value);
  }

  void spend(const Value& value, const Node& node) {
    nodes_ += count_nodes(node);
    if (nodes_ <= kMaximumNodes) return;
    value.invalid("too big: 'extends' copies more than 300000 values");
    reader_.findings.throw_if_any();
  }

  static void remove(Node& service) {
    std::erase_if(service.entries, [](const Entry& entry) { return entry.key == "extends"; });
  }

  std::string circle(const std::pair<std::string, std::string>& last) const {
    std::string text;
    for (auto at = std::ranges::find(chain_, last); at != chain_.end(); ++at) text += at->second + " -> ";
    return text + last.second;
  }

  Reader& reader_;
  const OpenFile& open_;
  std::vector<std::pair<std::string, std::string>> chain_;
  std::size_t nodes_ = 0;
};

}  // namespace

void resolve_extends(Node& root, Reader& reader, const OpenFile& open) {
  auto file = root.place.source != nullptr ? root.place.source->file : std::string();
  Resolver(reader, open).services(root, file);
}

}  // namespace gantry::compose
