#include "referrers.h"

#include <boost/describe.hpp>

#include <algorithm>

#include "answers.h"
#include "gantry/base/json.h"
#include "manifest.h"

namespace gantry::registry {
namespace {

namespace bj = json::bj;

constexpr std::size_t kMostReferrers = 1000;

std::string tag_of(const std::string& digest) {
  auto tag = digest;
  std::ranges::replace(tag, ':', '-');
  return tag;
}

Remote::Call call_for(Remote& remote, const std::string& path) {
  Remote::Call call;
  call.path = path;
  call.headers.emplace_back("Accept", kOciIndex);
  call.limit = kManifestLimit;
  call.what = "referrers at " + remote.registry() + "/" + remote.repository();
  return call;
}

void add_digests(const Index& index, std::vector<std::string>& out) {
  for (const auto& entry : index.manifests) out.push_back(entry.digest);
  if (out.size() > kMostReferrers)
    throw Error(ErrorKind::unsupported,
                "more than " + std::to_string(kMostReferrers) + " things are about one manifest",
                "copy without --referrers");
}

/// The index under the tag; without the tag one that lists nothing.
bj::object listed_under_tag(Remote& remote, const std::string& digest, const Retries::Tell& tell) {
  auto call = call_for(remote, "manifests/" + tag_of(digest));
  auto what = call.what;
  auto got = remote.call(std::move(call), tell);
  if (got.answer.status == 404) return {{"schemaVersion", 2}, {"mediaType", kOciIndex}, {"manifests", bj::array()}};
  remote.require_success(got.answer, what);
  auto value = json::parse(got.answer.body, what);
  auto* object = value.if_object();
  auto* manifests = object != nullptr ? object->if_contains("manifests") : nullptr;
  if (manifests == nullptr || !manifests->is_array())
    throw Error(ErrorKind::invalid, what + ": the tag " + tag_of(digest) + " is no list of manifests",
                "remove the tag, or copy without --referrers");
  return std::move(*object);
}

bj::object descriptor_of(std::string_view text, const std::string& media_type, const std::string& digest) {
  auto manifest = json::parse(text, "manifest");
  const auto& fields = manifest.as_object();
  bj::object out{{"mediaType", media_type}, {"digest", digest}, {"size", text.size()}};
  if (const auto* type = fields.if_contains("artifactType"))
    out["artifactType"] = *type;
  else if (const auto* config = fields.if_contains("config"); config != nullptr && config->is_object())
    out["artifactType"] = config->get_object().at("mediaType");
  if (const auto* annotations = fields.if_contains("annotations")) out["annotations"] = *annotations;
  return out;
}

}  // namespace

std::vector<std::string> find_referrers(Remote& remote, const std::string& digest, const Retries::Tell& tell) {
  std::vector<std::string> out;
  auto call = call_for(remote, "referrers/" + digest);
  for (;;) {
    auto got = remote.call(call, tell);
    if (got.answer.status == 404 && call.url.empty()) {
      auto index = listed_under_tag(remote, digest, tell);
      add_digests(parse_index(bj::serialize(index)), out);
      return out;
    }
    remote.require_success(got.answer, call.what);
    auto page = parse_index(got.answer.body);
    add_digests(page, out);
    auto next = next_page(got.answer.headers);
    if (next.empty() || page.manifests.empty()) return out;
    call.url = got.url.resolve(next).str();
  }
}

std::vector<std::string> digest_tags(const std::string& digest) {
  std::vector<std::string> out;
  for (const char* kind : {".sig", ".att", ".sbom"}) out.push_back(tag_of(digest) + kind);
  return out;
}

void list_referrer(Remote& remote, const std::string& subject, std::string_view text, const std::string& media_type,
                   const std::string& digest) {
  auto index = listed_under_tag(remote, subject, {});
  auto& manifests = index["manifests"].get_array();
  bool known = std::ranges::any_of(manifests, [&](const bj::value& entry) {
    const auto* object = entry.if_object();
    const auto* field = object != nullptr ? object->if_contains("digest") : nullptr;
    return field != nullptr && *field == bj::string(digest);
  });
  if (known) return;
  manifests.push_back(descriptor_of(text, media_type, digest));
  auto call = call_for(remote, "manifests/" + tag_of(subject));
  call.method = "PUT";
  call.headers.assign(1, {"Content-Type", kOciIndex});
  call.body = bj::serialize(index);
  call.pushes = true;
  auto what = call.what;
  auto got = remote.call(std::move(call));
  remote.require_success(got.answer, what);
}

}  // namespace gantry::registry
