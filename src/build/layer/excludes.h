#pragma once

#include <set>
#include <string>
#include <vector>

#include "gantry/ignore/pattern.h"
#include "layer/tree_view.h"

namespace gantry::build {

/// The --exclude flags of a COPY or ADD: the last rule that matches a path or a directory above it decides, "!" lets it
/// in again. Error invalid: a bad pattern.
class Excludes {
 public:
  explicit Excludes(const std::vector<std::string>& rules);
  bool empty() const { return rules_.empty(); }
  bool has_exceptions() const;
  /// `path`: below the source.
  bool match(const std::string& path) const;
  /// What of the directory at `path` in the view is left, relative to it: with the directories on the way to what an
  /// exception lets in.
  std::set<std::string> kept(const TreeView& view, const Node& directory, const std::string& path) const;

 private:
  struct Rule {
    ignore::Pattern pattern;
    bool exception = false;
  };
  bool collect(const TreeView& view, const Node& directory, const std::string& path, const std::string& below,
               std::set<std::string>& out) const;
  std::vector<Rule> rules_;
};

}  // namespace gantry::build
