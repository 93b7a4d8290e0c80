#pragma once

#include <map>
#include <string>
#include <string_view>

#include "gantry/api/router.h"
#include "gantry/base/json.h"

/// Query parameters and bodies into types. All throw Error (invalid) that names the parameter or the JSON path.
namespace gantry::api {

/// "1", "true", "" (the name alone): true; "0", "false": false.
bool flag(const http::Query& query, std::string_view name, bool otherwise = false);
std::optional<Duration> duration(const http::Query& query, std::string_view name);
std::optional<Timestamp> timestamp(const http::Query& query, std::string_view name);
std::optional<std::size_t> count(const http::Query& query, std::string_view name);
std::string required(const http::Query& query, std::string_view name);

/// "key=value" or "key" (an empty value: any), as often as given.
std::map<std::string, std::string> labels(const http::Query& query, std::string_view name);
bool has_labels(const std::map<std::string, std::string>& have, const std::map<std::string, std::string>& wanted);
/// True when `wanted` is empty or holds `name`.
bool named(const std::vector<std::string>& wanted, std::string_view name);

template <class E>
std::optional<E> choice(const http::Query& query, std::string_view name) {
  const auto* text = query.find(name);
  if (text == nullptr) return std::nullopt;
  try {
    return json::from<E>(boost::json::value(*text));
  } catch (Error& error) {
    throw error.within("query parameter '" + std::string(name) + "'");
  }
}

inline constexpr std::size_t kBodyLimit = 4u << 20;

/// The body as JSON of that type; unknown keys are refused.
template <class T>
task<T> body_as(http::Exchange& exchange, std::size_t limit = kBodyLimit) {
  auto text = co_await exchange.read_body(limit);
  co_return json::from_text<T>(text, "request body", json::Unknown::refuse);
}

template <class T>
task<> answer(http::Exchange& exchange, int status, T value) {
  co_await exchange.respond(status, std::string(http::kJson), json::to_text(value) + "\n");
}
task<> answer_nothing(http::Exchange& exchange);

}  // namespace gantry::api
