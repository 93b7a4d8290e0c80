#include "discovery.h"

#include <boost/describe.hpp>

#include "gantry/base/json.h"
#include "gantry/oci/digest.h"
#include "gantry/oci/reference.h"
#include "manifest.h"
#include "remote.h"

namespace gantry::registry {
namespace {

// What registries of the first generation, and Docker Hub to this day, answer at /v1/search.
struct SearchRow {
  std::string name;
  std::optional<std::string> description;
  std::optional<std::int64_t> star_count;
  std::optional<bool> is_official;
};
BOOST_DESCRIBE_STRUCT(SearchRow, (), (name, description, star_count, is_official))

struct SearchPage {
  std::optional<std::vector<SearchRow>> results;
};
BOOST_DESCRIBE_STRUCT(SearchPage, (), (results))

constexpr char kHubSearch[] = "index.docker.io";

// "host:5000/term" is searched there, everything else at Docker Hub.
std::pair<std::string, std::string> split_term(const std::string& term) {
  auto slash = term.find('/');
  auto first = term.substr(0, slash);
  bool names_host =
      slash != std::string::npos && (first.find_first_of(".:") != std::string::npos || first == "localhost");
  if (!names_host || first == "docker.io" || first == kHubSearch)
    return {kHubSearch, names_host ? term.substr(slash + 1) : term};
  return {first, term.substr(slash + 1)};
}

Platform platform_of(Remote& remote, const oci::Manifest& manifest, const std::string& shown) {
  Remote::Call call;
  call.path = "blobs/" + manifest.config.digest;
  call.limit = kConfigLimit;
  call.what = shown;
  auto got = remote.call(std::move(call));
  remote.require_success(got.answer, shown);
  auto config = json::from_text<oci::ImageConfig>(got.answer.body, "configuration of " + shown);
  return {config.os, config.architecture, config.variant.value_or("")};
}

}  // namespace

Described describe(const Options& options, const std::string& text, const std::optional<Credentials>& credentials,
                   StopFlag& stop) {
  auto reference = oci::Reference::parse(text);
  auto shown = "image " + reference.familiar();
  Transport transport(options, stop);
  Remote remote(transport, options, reference.domain, reference.path, credentials);
  Remote::Call call;
  call.path = "manifests/" + (reference.digest.empty() ? reference.tag : reference.digest);
  call.headers.emplace_back("Accept", accepted_manifests());
  call.limit = kManifestLimit;
  call.what = shown;
  auto got = remote.call(std::move(call));
  remote.require_success(got.answer, shown);
  const auto& body = got.answer.body;
  Described out;
  out.media_type = got.answer.headers.get("Content-Type");
  out.digest = oci::Digest::of(body).str();
  out.size = body.size();
  if (!reference.digest.empty() && out.digest != reference.digest)
    throw Error(ErrorKind::invalid, shown + ": the registry gives the manifest " + out.digest);
  if (kind_of_manifest(body, out.media_type) == ManifestKind::index) {
    for (const auto& one : parse_index(body).manifests)
      if (one.platform) out.platforms.push_back({one.platform->os, one.platform->architecture, one.platform->variant});
  } else {
    out.platforms.push_back(platform_of(remote, parse_manifest(body), shown));
  }
  return out;
}

std::vector<FoundImage> search(const Options& options, const std::string& term,
                               const std::optional<Credentials>& credentials, std::size_t limit, StopFlag& stop) {
  auto [host, words] = split_term(term);
  Transport transport(options, stop);
  Remote remote(transport, options, host, "", credentials);
  Remote::Call call;
  call.url = remote.origin() + "/v1/search?q=" + http::encode_segment(words) + "&n=" + std::to_string(limit);
  call.what = "search at " + host;
  call.limit = kManifestLimit;
  auto got = remote.call(call);
  if (got.answer.status == 404)
    throw Error(ErrorKind::unsupported, "registry " + host + " has no search",
                "'gantry registry tags' lists what a repository there has");
  remote.require_success(got.answer, call.what);
  auto page = json::from_text<SearchPage>(got.answer.body, "answer of " + host);
  std::vector<FoundImage> out;
  for (auto& row : page.results.value_or(std::vector<SearchRow>{}))
    if (out.size() < limit)
      out.push_back({std::move(row.name), row.description.value_or(""), row.star_count.value_or(0),
                     row.is_official.value_or(false)});
  return out;
}

}  // namespace gantry::registry
