#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/base/http_message.h"
#include "gantry/base/time.h"

namespace gantry::api::docker {

/// The query parameter `filters`: {"label":["a=b"]}, and the older {"label":{"a=b":true}}. Values of one name are
/// alternatives, names are conditions.
class Filters {
 public:
  /// Error (invalid) for malformed JSON, and for a name that is not among `known`.
  Filters(const http::Query& query, std::vector<std::string_view> known);

  bool has(const std::string& name) const { return filters_.contains(name); }
  const std::vector<std::string>& all(const std::string& name) const;
  /// True when there is no such filter, or one of its values is `value`.
  bool match(const std::string& name, std::string_view value) const;
  /// The same for a value that begins with one of them.
  bool match_prefix(const std::string& name, std::string_view value) const;
  /// The same for regular expressions found in the value.
  bool match_pattern(const std::string& name, const std::string& value) const;
  /// `label`: all of "key" and "key=value" must hold; `label!`: none of them may.
  bool match_labels(const std::map<std::string, std::string>& labels) const;
  /// "true", "1" / "false", "0"; Error (invalid) for others.
  std::optional<bool> flag(const std::string& name) const;
  /// A moment: as docker_time. nullopt without such a filter.
  std::optional<Timestamp> time(const std::string& name) const;

 private:
  std::map<std::string, std::vector<std::string>> filters_;
};

/// Seconds since 1970 with a fraction, RFC 3339 with or without a zone, or a Go duration before now. Error (invalid).
Timestamp parse_moment(const std::string& text);

}  // namespace gantry::api::docker
