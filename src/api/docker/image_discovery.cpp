#include <charconv>

#include "../registry_login.h"
#include "gantry/registry/registry.h"
#include "image_lookup.h"
#include "routes.h"

/// What registries say of images that are not here: distribution inspect and search.
namespace gantry::api::docker {
namespace {

namespace bj = boost::json;

task<> inspect_distribution(Services& services, Call call) {
  auto reference = parse_reference(call.parameter("name")).canonical();
  auto found = co_await services.parts.registry.describe(reference, credentials_of(call));
  bj::array platforms;
  for (const auto& platform : found.platforms) {
    bj::object one{{"architecture", platform.architecture}, {"os", platform.os}};
    if (!platform.variant.empty()) one["variant"] = platform.variant;
    platforms.push_back(std::move(one));
  }
  bj::object out{
      {"Descriptor", bj::object{{"mediaType", found.media_type}, {"digest", found.digest}, {"size", found.size}}},
      {"Platforms", std::move(platforms)}};
  co_await answer_json(call.exchange, 200, std::move(out));
}

constexpr std::size_t kUsual = 25, kMost = 100;

std::size_t limit_of(const http::Query& query) {
  auto text = query.get("limit", "0");
  std::size_t out = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (failed != std::errc() || end != text.data() + text.size() || out > kMost)
    throw Error(ErrorKind::invalid, "limit " + text + " is outside the range of [1, 100]");
  return out == 0 ? kUsual : out;
}

std::int64_t stars_of(const Filters& filters) {
  std::int64_t least = 0;
  for (const auto& text : filters.all("stars")) {
    std::int64_t value = 0;
    auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size())
      throw Error(ErrorKind::invalid, "invalid filter 'stars=" + text + "'");
    least = std::max(least, value);
  }
  return least;
}

task<> search(Services& services, Call call) {
  auto term = call.query().get("term");
  if (term.empty()) throw Error(ErrorKind::invalid, "term is required");
  Filters filters(call.query(), {"is-automated", "is-official", "stars"});
  auto official = filters.flag("is-official");
  auto least = stars_of(filters);
  bool none = filters.flag("is-automated").value_or(false);  // Docker Hub has none any more
  auto found = co_await services.parts.registry.search(term, credentials_of(call), limit_of(call.query()));
  bj::array out;
  for (const auto& one : found) {
    if (none || one.stars < least || (official && *official != one.official)) continue;
    out.push_back(bj::object{{"star_count", one.stars},
                             {"is_official", one.official},
                             {"name", one.name},
                             {"is_automated", false},
                             {"description", one.description}});
  }
  co_await answer_json(call.exchange, 200, std::move(out));
}

}  // namespace

std::vector<Route> image_discovery_routes(Services& s) {
  constexpr auto kReads = Effect::reads;
  return {
      {"GET", "/distribution/{name...}/json", "registry.read", kReads, {}, with(s, inspect_distribution)},
      {"GET", "/images/search", "registry.read", kReads, {}, with(s, search)},
  };
}

}  // namespace gantry::api::docker
