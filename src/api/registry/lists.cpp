#include <algorithm>
#include <charconv>

#include "gantry/base/json.h"
#include "replies.h"

namespace gantry::api::registry_front {
namespace {

constexpr std::size_t kPageSize = 1000;
constexpr char kIndex[] = "application/vnd.oci.image.index.v1+json";

std::size_t page_size(const Call& call) {
  const auto* text = call.query().find("n");
  if (text == nullptr) return kPageSize;
  std::size_t out = 0;
  auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), out);
  if (failed != std::errc() || end != text->data() + text->size())
    throw Error(ErrorKind::invalid, "n is no number: " + text->substr(0, 40));
  return std::min(out, kPageSize);
}

void link_next(http::Exchange& exchange, const std::string& path, std::size_t limit, const distribution::Page& page) {
  if (!page.more || page.names.empty()) return;
  http::Query query{{"n", std::to_string(limit)}, {"last", page.names.back()}};
  exchange.set_header("Link", "<" + path + "?" + query.encode() + ">; rel=\"next\"");
}

boost::json::array list_of(const std::vector<std::string>& names) {
  return boost::json::array(names.begin(), names.end());
}

task<> version(Context&, Call call) { co_await call.exchange.respond(200, std::string(http::kJson), "{}"); }

task<> tags(Context& context, Call call) {
  auto name = call.parameter("name");
  auto limit = page_size(call);
  auto after = call.query().get("last");
  auto look = [&context, name, registry = registry_meant(call)] { return context.mirror.find(name, registry); };
  auto place = co_await context.pool.run(std::move(look));
  distribution::Page page;
  if (place) {
    auto ask = [&context, place, limit, after] { return context.mirror.tags(*place, limit, after); };
    page = co_await apart(context, std::move(ask));
  } else {
    auto work = [&context, name, limit, after] { return context.distribution.tags(name, limit, after); };
    page = co_await context.pool.run(std::move(work));
  }
  link_next(call.exchange, "/v2/" + name + "/tags/list", limit, page);
  boost::json::object body{{"name", name}, {"tags", list_of(page.names)}};
  co_await call.exchange.respond(200, std::string(http::kJson), boost::json::serialize(body));
}

task<> catalog(Context& context, Call call) {
  auto limit = page_size(call);
  auto work = [&context, limit, after = call.query().get("last")] {
    return context.distribution.repositories(limit, after);
  };
  auto page = co_await context.pool.run(std::move(work));
  link_next(call.exchange, "/v2/_catalog", limit, page);
  boost::json::object body{{"repositories", list_of(page.names)}};
  co_await call.exchange.respond(200, std::string(http::kJson), boost::json::serialize(body));
}

boost::json::object descriptor_of(const distribution::Referrer& referrer) {
  boost::json::object out{{"mediaType", referrer.media_type}, {"digest", referrer.digest}, {"size", referrer.size}};
  if (!referrer.artifact_type.empty()) out["artifactType"] = referrer.artifact_type;
  if (!referrer.annotations.empty()) out["annotations"] = json::parse(referrer.annotations, "annotations");
  return out;
}

task<> referrers(Context& context, Call call) {
  auto type = call.query().get("artifactType");
  auto work = [&context, type, name = call.parameter("name"), digest = call.parameter("digest")] {
    return context.distribution.referrers(name, digest, type);
  };
  auto list = co_await context.pool.run(std::move(work));
  if (!type.empty()) call.exchange.set_header("OCI-Filters-Applied", "artifactType");
  boost::json::array manifests;
  for (const auto& referrer : list) manifests.push_back(descriptor_of(referrer));
  boost::json::object body{{"schemaVersion", 2}, {"mediaType", kIndex}, {"manifests", std::move(manifests)}};
  co_await call.exchange.respond(200, kIndex, boost::json::serialize(body));
}

task<> metrics(Context& context, Call call) {
  auto work = [&context] { return std::pair(context.distribution.totals(), context.mirror.use()); };
  auto [totals, mirrored] = co_await context.pool.run(std::move(work));
  co_await call.exchange.respond(200, "text/plain; version=0.0.4", context.metrics.text(totals, mirrored));
}

}  // namespace

std::vector<Route> list_routes(Context& context) {
  return {{"GET", "/v2", "distribution.version", Effect::reads, {}, with(context, version)},
          {"GET", "/v2/", "distribution.version", Effect::reads, {}, with(context, version)},
          {"GET", "/v2/_catalog", "distribution.catalog", Effect::reads, {}, with(context, catalog)},
          {"GET", "/v2/{name...}/tags/list", "distribution.pull", Effect::reads, {}, with(context, tags)},
          {"GET", "/v2/{name...}/referrers/{digest}", "distribution.pull", Effect::reads, {}, with(context, referrers)},
          {"GET", "/metrics", "distribution.metrics", Effect::reads, {}, with(context, metrics)}};
}

std::vector<Route> routes(Context& context) {
  std::vector<Route> out;
  for (auto part : {blob_routes, upload_routes, manifest_routes, list_routes}) {
    auto more = part(context);
    std::move(more.begin(), more.end(), std::back_inserter(out));
  }
  return out;
}

}  // namespace gantry::api::registry_front
