#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "yaml.h"

namespace gantry::compose {

using Environment = std::map<std::string, std::string>;
using Lookup = std::function<std::optional<std::string>(const std::string&)>;

/// Replaces $VAR and ${VAR...} in texts by the Compose specification's rules. Mistakes are reported at the place of
/// the text; an unset variable without a default is a warning, once per variable.
class Interpolator {
 public:
  Interpolator(Lookup lookup, Findings& findings) : lookup_(std::move(lookup)), findings_(findings) {}

  std::string text(std::string_view text, const Place& place);
  /// Every scalar below `node`; keys, and values of keys that start with "x-", stay as they are.
  void tree(Node& node);

 private:
  std::string expand(std::string_view text, int depth);
  std::string braced(std::string_view inside, int depth);
  std::string variable(const std::string& name);
  void fail(std::string message);
  void append(std::string& out, std::string_view more);

  Lookup lookup_;
  Findings& findings_;
  Place place_;
  std::set<std::string> warned_;
  std::size_t produced_ = 0;
};

}  // namespace gantry::compose
