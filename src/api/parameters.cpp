#include "parameters.h"

#include <algorithm>
#include <charconv>

namespace gantry::api {
namespace {

[[noreturn]] void refuse(std::string_view name, const std::string& value, const std::string& expected) {
  throw Error(ErrorKind::invalid,
              "query parameter '" + std::string(name) + "': expected " + expected + ", not '" + value + "'");
}

}  // namespace

bool flag(const http::Query& query, std::string_view name, bool otherwise) {
  const auto* value = query.find(name);
  if (value == nullptr) return otherwise;
  if (value->empty() || *value == "1" || *value == "true") return true;
  if (*value == "0" || *value == "false") return false;
  refuse(name, *value, "1, true, 0 or false");
}

std::optional<Duration> duration(const http::Query& query, std::string_view name) {
  const auto* value = query.find(name);
  if (value == nullptr) return std::nullopt;
  auto parsed = parse_duration(*value);
  if (!parsed) refuse(name, *value, "a duration such as 10s");
  return parsed;
}

std::optional<Timestamp> timestamp(const http::Query& query, std::string_view name) {
  const auto* value = query.find(name);
  if (value == nullptr) return std::nullopt;
  auto parsed = from_rfc3339(*value);
  if (!parsed) refuse(name, *value, "an RFC 3339 time");
  return parsed;
}

std::optional<std::size_t> count(const http::Query& query, std::string_view name) {
  const auto* value = query.find(name);
  if (value == nullptr) return std::nullopt;
  std::size_t number = 0;
  const char* end = value->data() + value->size();
  auto [stopped, failed] = std::from_chars(value->data(), end, number);
  if (value->empty() || failed != std::errc() || stopped != end) refuse(name, *value, "a whole number");
  return number;
}

std::string required(const http::Query& query, std::string_view name) {
  const auto* value = query.find(name);
  if (value == nullptr || value->empty())
    throw Error(ErrorKind::invalid, "query parameter '" + std::string(name) + "' is missing");
  return *value;
}

std::map<std::string, std::string> labels(const http::Query& query, std::string_view name) {
  std::map<std::string, std::string> out;
  for (const auto& text : query.all(name)) {
    auto equals = std::min(text.find('='), text.size());
    if (equals == 0) refuse(name, text, "key or key=value");
    out[text.substr(0, equals)] = equals < text.size() ? text.substr(equals + 1) : "";
  }
  return out;
}

bool has_labels(const std::map<std::string, std::string>& have, const std::map<std::string, std::string>& wanted) {
  return std::ranges::all_of(wanted, [&](const auto& label) {
    auto found = have.find(label.first);
    return found != have.end() && (label.second.empty() || found->second == label.second);
  });
}

bool named(const std::vector<std::string>& wanted, std::string_view name) {
  return wanted.empty() || std::ranges::find(wanted, name) != wanted.end();
}

task<> answer_nothing(http::Exchange& exchange) { co_await exchange.respond(204, "", ""); }

}  // namespace gantry::api
