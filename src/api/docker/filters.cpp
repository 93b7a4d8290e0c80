#include "filters.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <regex>

#include "gantry/base/json.h"

namespace gantry::api::docker {
namespace {

constexpr std::size_t kLimit = 64u << 10;

std::vector<std::string> values_of(const std::string& name, const boost::json::value& value) {
  std::vector<std::string> out;
  if (const auto* array = value.if_array()) {
    for (const auto& item : *array) {
      if (!item.is_string())
        throw Error(ErrorKind::invalid, "invalid filter '" + name + "': its values must be strings");
      out.emplace_back(item.get_string());
    }
  } else if (const auto* object = value.if_object()) {
    for (const auto& [key, wanted] : *object)
      if (wanted.is_bool() && wanted.get_bool()) out.emplace_back(key);
  } else {
    throw Error(ErrorKind::invalid, "invalid filter '" + name + "': expected a list");
  }
  return out;
}

bool holds(const std::map<std::string, std::string>& labels, const std::string& wanted) {
  auto equals = wanted.find('=');
  auto found = labels.find(wanted.substr(0, equals));
  return found != labels.end() && (equals == std::string::npos || found->second == wanted.substr(equals + 1));
}

}  // namespace

Filters::Filters(const http::Query& query, std::vector<std::string_view> known) {
  const auto* text = query.find("filters");
  if (text == nullptr || text->empty()) return;
  if (text->size() > kLimit) throw Error(ErrorKind::invalid, "invalid filter: too long");
  boost::json::value value;
  try {
    value = json::parse(*text, "filters");
  } catch (const Error& error) {
    throw Error(ErrorKind::invalid, "invalid filter: " + error.message());
  }
  const auto* object = value.if_object();
  if (object == nullptr) throw Error(ErrorKind::invalid, "invalid filter: expected an object of lists");
  for (const auto& [key, wanted] : *object) {
    std::string name(key);
    if (std::ranges::find(known, name) == known.end()) throw Error(ErrorKind::invalid, "invalid filter '" + name + "'");
    auto values = values_of(name, wanted);
    if (!values.empty()) filters_[name] = std::move(values);
  }
}

const std::vector<std::string>& Filters::all(const std::string& name) const {
  static const std::vector<std::string> none;
  auto found = filters_.find(name);
  return found == filters_.end() ? none : found->second;
}

bool Filters::match(const std::string& name, std::string_view value) const {
  const auto& wanted = all(name);
  return wanted.empty() || std::ranges::find(wanted, value) != wanted.end();
}

bool Filters::match_prefix(const std::string& name, std::string_view value) const {
  const auto& wanted = all(name);
  return wanted.empty() || std::ranges::any_of(wanted, [&](const auto& one) { return value.starts_with(one); });
}

bool Filters::match_pattern(const std::string& name, const std::string& value) const {
  const auto& wanted = all(name);
  if (wanted.empty()) return true;
  return std::ranges::any_of(wanted, [&](const std::string& pattern) {
    if (pattern == value) return true;
    // std::regex recurses with the length of what it matches: names are short, patterns must be.
    if (pattern.size() > 256) return false;
    try {
      return std::regex_search(value, std::regex(pattern, std::regex::ECMAScript));
    } catch (const std::regex_error&) {
      return false;
    }
  });
}

bool Filters::match_labels(const std::map<std::string, std::string>& labels) const {
  auto held = [&](const std::string& wanted) { return holds(labels, wanted); };
  return std::ranges::all_of(all("label"), held) && std::ranges::none_of(all("label!"), held);
}

std::optional<bool> Filters::flag(const std::string& name) const {
  const auto& wanted = all(name);
  if (wanted.empty()) return std::nullopt;
  bool yes = false, no = false;
  for (const auto& value : wanted) {
    if (value == "true" || value == "1") {
      yes = true;
    } else if (value == "false" || value == "0") {
      no = true;
    } else {
      throw Error(ErrorKind::invalid, fmt::format("invalid filter '{}={}'", name, value));
    }
  }
  if (yes && no) throw Error(ErrorKind::invalid, "invalid filter '" + name + "': it cannot be true and false");
  return yes;
}

std::optional<Timestamp> Filters::time(const std::string& name) const {
  const auto& wanted = all(name);
  if (wanted.empty()) return std::nullopt;
  if (wanted.size() > 1) throw Error(ErrorKind::invalid, "more than one '" + name + "' filter specified");
  return parse_moment(wanted.front());
}

Timestamp parse_moment(const std::string& text) {
  if (auto time = from_rfc3339(text)) return *time;
  for (const char* missing : {"Z", ":00Z", "T00:00:00Z"})
    if (auto time = from_rfc3339(text + missing)) return *time;
  if (auto duration = parse_duration(text)) return now() - *duration;
  auto dot = text.find('.');
  auto digits = [](std::string_view part) {
    return !part.empty() && part.size() <= 18 && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
  };
  std::string seconds = text.substr(0, dot);
  std::string fraction = dot == std::string::npos ? "0" : text.substr(dot + 1);
  bool negative = seconds.starts_with('-');
  if (negative) seconds.erase(0, 1);
  // Beyond this, nanoseconds since 1970 no longer fit.
  constexpr std::int64_t kMost = 9'000'000'000;
  if (!digits(seconds) || !digits(fraction) || std::stoll(seconds) > kMost)
    throw Error(ErrorKind::invalid, "invalid time '" + text + "'",
                "use seconds since 1970, RFC 3339 (2026-01-02T15:04:05Z), or a duration (10m)");
  fraction.resize(9, '0');
  auto moment = std::chrono::seconds(std::stoll(seconds)) + std::chrono::nanoseconds(std::stoll(fraction));
  return Timestamp(negative ? -moment : moment);
}

}  // namespace gantry::api::docker
