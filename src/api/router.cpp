#include "gantry/api/router.h"

#include <algorithm>
#include <set>

namespace gantry::api {
namespace {

using Segments = std::vector<std::string>;

Segments split(const std::string& pattern) {
  Segments out;
  std::size_t at = 1;
  while (at <= pattern.size()) {
    auto slash = std::min(pattern.find('/', at), pattern.size());
    out.push_back(pattern.substr(at, slash - at));
    at = slash + 1;
  }
  return out;
}

bool is_parameter(const std::string& segment) { return segment.starts_with('{'); }

bool spans(const std::string& segment) { return segment.starts_with('{') && segment.ends_with("...}"); }

/// The path with the segments of a spanning parameter joined to one, so that it has as many as the pattern.
std::optional<Segments> fit(const Segments& pattern, const Segments& path) {
  auto span = std::ranges::find_if(pattern, spans);
  if (span == pattern.end()) return pattern.size() == path.size() ? std::optional(path) : std::nullopt;
  if (path.size() < pattern.size()) return std::nullopt;
  auto at = static_cast<std::size_t>(span - pattern.begin());
  auto joined = path.size() - pattern.size() + 1;
  Segments out(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  for (std::size_t i = at + 1; i < at + joined; ++i) out.back() += "/" + path[i];
  out.insert(out.end(), path.begin() + static_cast<std::ptrdiff_t>(at + joined), path.end());
  return out;
}

/// How many segments match literally; nullopt when the pattern does not match.
std::optional<int> literal_matches(const Segments& pattern, const Segments& whole) {
  auto path = fit(pattern, whole);
  if (!path) return std::nullopt;
  int literal = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (is_parameter(pattern[i])) {
      if ((*path)[i].empty()) return std::nullopt;
    } else if (pattern[i] == (*path)[i]) {
      ++literal;
    } else {
      return std::nullopt;
    }
  }
  return literal;
}

std::string join(const std::set<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

Match bind(const Route& route, const Segments& pattern, const Segments& whole) {
  Match match{&route, {}, {}};
  auto path = fit(pattern, whole).value();
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (!is_parameter(pattern[i])) continue;
    if (match.parameters.empty()) match.object = path[i];
    auto marks = spans(pattern[i]) ? 5u : 2u;
    match.parameters[pattern[i].substr(1, pattern[i].size() - marks)] = path[i];
  }
  return match;
}

}  // namespace

Router::Router(std::vector<Route> routes) : routes_(std::move(routes)) {
  std::set<std::string> seen;
  for (const auto& route : routes_) {
    patterns_.push_back(split(route.pattern));
    if (!seen.insert(route.method + " " + route.pattern).second)
      throw Error(ErrorKind::internal, "two routes for " + route.method + " " + route.pattern);
  }
}

Match Router::match(const std::string& method, const http::Target& target) const {
  std::optional<std::size_t> best;
  int most = -1;
  std::set<std::string> allowed;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    auto literal = literal_matches(patterns_[i], target.segments);
    if (!literal) continue;
    allowed.insert(routes_[i].method);
    if (routes_[i].method != method || *literal <= most) continue;
    best = i;
    most = *literal;
  }
  if (best) return bind(routes_[*best], patterns_[*best], target.segments);
  if (allowed.empty())
    throw Error(ErrorKind::not_found, "no such route: " + target.path,
                "see docs/api.md; the client may be newer than the daemon ('gantry version' shows both)");
  throw http::StatusError(405, ErrorKind::invalid, "the method " + method + " is not for " + target.path,
                          "use " + join(allowed));
}

void check_query(const Route& route, const http::Query& query) {
  for (const auto& [name, value] : query.pairs()) {
    if (std::ranges::find(route.query, name) != route.query.end()) continue;
    std::string known = join({route.query.begin(), route.query.end()});
    throw Error(ErrorKind::invalid, "unknown query parameter '" + name + "'",
                known.empty() ? "this route has none" : "known here: " + known);
  }
}

}  // namespace gantry::api
