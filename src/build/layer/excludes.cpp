#include "layer/excludes.h"

#include <algorithm>

namespace gantry::build {
namespace {

bool matches_or_above(const ignore::Pattern& pattern, const std::string& path) {
  for (auto end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1))
    if (pattern.matches(std::string_view(path).substr(0, end))) return true;
  return pattern.matches(path);
}

}  // namespace

Excludes::Excludes(const std::vector<std::string>& rules) {
  for (const auto& text : rules) {
    bool exception = text.starts_with('!');
    rules_.push_back({ignore::Pattern(std::string_view(text).substr(exception ? 1 : 0)), exception});
  }
}

bool Excludes::has_exceptions() const {
  return std::any_of(rules_.begin(), rules_.end(), [](const auto& rule) { return rule.exception; });
}

bool Excludes::match(const std::string& path) const {
  bool out = false;
  for (const auto& rule : rules_)
    if (out == rule.exception && matches_or_above(rule.pattern, path)) out = !rule.exception;
  return out;
}

// True when something of it is kept.
bool Excludes::collect(const TreeView& view, const Node& directory, const std::string& path, const std::string& below,
                       std::set<std::string>& out) const {
  bool any = false;
  for (const auto& name : view.names(directory, path)) {
    auto full = path.empty() ? name : path + "/" + name;
    auto relative = below.empty() ? name : below + "/" + name;
    auto child = view.child(directory, name, full);
    if (!child) continue;
    bool kept = !match(relative);
    if (child->is_directory()) kept = collect(view, *child, full, relative, out) || kept;
    if (kept) out.insert(relative);
    any = any || kept;
  }
  return any;
}

std::set<std::string> Excludes::kept(const TreeView& view, const Node& directory, const std::string& path) const {
  std::set<std::string> out;
  collect(view, directory, path, "", out);
  return out;
}

}  // namespace gantry::build
