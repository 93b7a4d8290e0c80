#include "copy.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "answers.h"
#include "blob.h"
#include "gantry/base/json.h"
#include "layer_meter.h"
#include "manifest.h"
#include "referrers.h"
#include "remote.h"
#include "upload.h"
#include "workers.h"

// Bytes go through as they are: manifests keep their digests, and whatever is not an image (charts, signatures) goes
// the same way. A blob is sent before what refers to it, as registries demand.
namespace gantry::registry {
namespace {

constexpr int kDeepestIndex = 4;
constexpr int kDeepestReferrer = 8;
constexpr std::size_t kMostManifests = 1000;

/// What matters here of any manifest or index.
struct AnyManifest {
  std::optional<int> schemaVersion;
  std::string mediaType;
  std::optional<oci::Descriptor> config;
  std::vector<oci::Descriptor> layers;
  std::optional<oci::Descriptor> subject;
  std::optional<json::bj::value> manifests;
};
BOOST_DESCRIBE_STRUCT(AnyManifest, (), (schemaVersion, mediaType, config, layers, subject, manifests))

struct Document {
  std::string text;
  std::string type;
  std::string digest;
};

class Copy {
 public:
  Copy(const Options& options, const CopyRequest& request, const ProgressSink& progress, StopFlag& stop)
      : options_(options),
        request_(request),
        from_(oci::Reference::parse(request.source)),
        to_(oci::Reference::parse(request.target)),
        progress_(progress),
        stop_(stop),
        transport_(options, stop),
        source_(transport_, options, from_.domain, from_.path, login_at(request.logins, from_.domain)),
        target_(transport_, options, to_.domain, to_.path, login_at(request.logins, to_.domain)) {}

  CopyResult run() {
    if (!to_.digest.empty())
      throw Error(ErrorKind::invalid, "copy to " + request_.target + ": a target has a tag, not a digest",
                  "leave out the part from '@' on");
    auto wanted = from_.digest.empty() ? from_.tag : from_.digest;
    progress_({wanted, Step::resolving, 0, 0, from_.domain + "/" + from_.path});
    auto top = fetch(wanted);
    if (!request_.all) top = descend(std::move(top));
    copy_below(top, 0);
    if (request_.referrers) {
      // Whoever finds the tag finds the signatures.
      put(top, top.digest);
      copy_about(top.digest, 0);
    }
    put(top, to_.tag);
    result_.source = from_.familiar();
    result_.target = to_.familiar();
    result_.digest = top.digest;
    return result_;
  }

 private:
  std::string shown() const { return "copy of " + from_.familiar(); }

  Document fetch(const std::string& reference) {
    auto got = ask(reference);
    source_.require_success(got, shown());
    return document_of(std::move(got), reference);
  }

  // nullopt: it is not there.
  std::optional<Document> find(const std::string& reference) {
    auto got = ask(reference);
    if (got.status == 404) return std::nullopt;
    source_.require_success(got, shown());
    return document_of(std::move(got), reference);
  }

  HttpAnswer ask(const std::string& reference) {
    Remote::Call call;
    call.path = "manifests/" + reference;
    // Whatever it is; what is known first.
    call.headers.emplace_back("Accept",
                              accepted_manifests() + ", application/vnd.oci.artifact.manifest.v1+json, */*;q=0.1");
    call.limit = kManifestLimit;
    call.what = shown();
    return source_.call(std::move(call), teller(reference)).answer;
  }

  Document document_of(HttpAnswer got, const std::string& reference) const {
    Document out{std::move(got.body), got.headers.get("Content-Type"), {}};
    out.digest = oci::Digest::of(out.text).str();
    if (reference.starts_with("sha256:") && out.digest != reference)
      throw Error(ErrorKind::invalid, shown() + ": the registry gives the manifest " + out.digest + " for " + reference,
                  "the registry is at fault; try again, or another mirror");
    return out;
  }

  AnyManifest parse(const Document& document) const {
    auto any = json::from_text<AnyManifest>(document.text, "manifest of " + from_.familiar());
    if (any.schemaVersion.value_or(0) != 2)
      throw Error(ErrorKind::unsupported, shown() + ": its manifest is of a kind that is no longer in use (schema 1)",
                  "push the image again with a newer client");
    return any;
  }

  // Without --all: the image for one platform, on its own.
  Document descend(Document at) {
    auto wanted = request_.platform.value_or(Platform::host());
    std::set<std::string> seen;
    for (int depth = 0; parse(at).manifests; ++depth) {
      if (depth >= kDeepestIndex || !seen.insert(at.digest).second)
        throw Error(ErrorKind::invalid, shown() + ": its index leads to other indexes without end");
      auto index = parse_index(at.text);
      at = fetch(choose(index, wanted).digest);
    }
    return at;
  }

  void copy_below(const Document& document, int depth) {
    auto any = parse(document);
    if (any.manifests) {
      if (depth >= kDeepestIndex)
        throw Error(ErrorKind::invalid, shown() + ": its index leads to other indexes without end");
      for (const auto& entry : parse_index(document.text).manifests) copy_child(entry.digest, depth + 1);
      return;
    }
    std::vector<oci::Descriptor> blobs = any.layers;
    if (any.config) blobs.insert(blobs.begin(), *any.config);
    std::vector<oci::Descriptor> wanted;
    for (auto& blob : blobs) {
      oci::Digest::parse(blob.digest);
      if (done_.insert(blob.digest).second) wanted.push_back(std::move(blob));
    }
    for (const auto& blob : wanted) progress_({short_digest(blob.digest), Step::preparing, 0, blob.size, ""});
    auto work = [&](std::size_t i) { copy_blob(wanted[i]); };
    for_each_at_once(wanted.size(), options_.layers_at_once, stop_, work);
  }

  void copy_child(const std::string& digest, int depth) {
    if (!done_.insert(digest).second) return;
    if (++result_.manifests > kMostManifests) throw Error(ErrorKind::invalid, shown() + ": its index lists too much");
    auto child = fetch(digest);
    copy_below(child, depth);
    put(child, digest);
    copy_about(digest, 0);
  }

  // What is about a manifest, and what is about that.
  void copy_about(const std::string& digest, int depth) {
    if (!request_.referrers || !asked_.insert(digest).second) return;
    if (depth >= kDeepestReferrer)
      throw Error(ErrorKind::invalid, shown() + ": what is about it leads on without end", "copy without --referrers");
    for (const auto& referrer : find_referrers(source_, digest, teller(short_digest(digest)))) {
      if (done_.insert(referrer).second) copy_referrer(fetch(referrer), referrer);
      copy_about(referrer, depth + 1);
    }
    for (const auto& tag : digest_tags(digest)) {
      auto found = find(tag);
      if (!found) continue;
      copy_referrer(*found, tag);
      copy_about(found->digest, depth + 1);
    }
  }

  void copy_referrer(const Document& document, const std::string& reference) {
    if (++result_.referrers > kMostManifests)
      throw Error(ErrorKind::unsupported, shown() + ": too much is about it", "copy without --referrers");
    copy_below(document, 0);
    put(document, reference);
  }

  void copy_blob(const oci::Descriptor& blob) {
    auto id = short_digest(blob.digest);
    if (has_blob(target_, blob.digest)) {
      count(0);
      return progress_({id, Step::exists, blob.size, blob.size, ""});
    }
    bool neighbours = from_.domain == to_.domain && from_.path != to_.path;
    if (neighbours && mount_blob(target_, blob.digest, from_.path)) {
      count(0);
      return progress_({id, Step::mounted, blob.size, blob.size, from_.path});
    }
    LayerMeter meter(progress_, id, Step::sending, blob.size);
    BlobRequest request{oci::Digest::parse(blob.digest), blob.size, "blob " + id + " of " + from_.familiar()};
    auto make = [&](const std::function<void(std::string_view)>& take) {
      oci::Hasher hasher;
      auto checked = [&](std::string_view piece) {
        hasher.update(piece);
        take(piece);
      };
      fetch_blob(source_, request, checked, {});
      if (auto digest = hasher.finish(); digest != request.digest)
        throw Error(ErrorKind::invalid, request.what + ": what came has the digest " + digest.str(),
                    "the registry is at fault; try again, or another mirror");
    };
    auto sent = upload_stream(
        target_, "blob " + id, make, [&](std::uint64_t bytes) { meter.at(bytes); }, teller(id));
    count(sent.size);
    progress_({id, Step::complete, blob.size, blob.size, ""});
  }

  void count(std::uint64_t sent) {
    std::lock_guard lock(mutex_);
    ++result_.blobs;
    result_.sent += sent;
  }

  void put(const Document& document, const std::string& reference) {
    auto any = parse(document);
    auto type = any.mediaType.empty() ? document.type : any.mediaType;
    Remote::Call call;
    call.method = "PUT";
    call.path = "manifests/" + reference;
    call.headers.emplace_back("Content-Type", type);
    call.body = document.text;
    call.pushes = true;
    call.what = "copy to " + to_.familiar();
    auto got = target_.call(std::move(call));
    target_.require_success(got.answer, "copy to " + to_.familiar());
    // A registry that knows referrers says so here; at others the list is the client's to write.
    if (any.subject && got.answer.headers.find("OCI-Subject") == nullptr)
      list_referrer(target_, any.subject->digest, document.text, type, document.digest);
  }

  Retries::Tell teller(std::string id) {
    return [this, id](const std::string& why, std::chrono::milliseconds wait) {
      progress_({id, Step::retrying, static_cast<std::uint64_t>((wait.count() + 999) / 1000), 0, why});
    };
  }

  const Options& options_;
  const CopyRequest& request_;
  oci::Reference from_, to_;
  const ProgressSink& progress_;
  StopFlag& stop_;
  Transport transport_;
  Remote source_, target_;
  std::set<std::string> done_;   ///< blobs and manifests
  std::set<std::string> asked_;  ///< manifests whose referrers were looked for
  std::mutex mutex_;             ///< of `result_` while blobs are sent
  CopyResult result_;
};

}  // namespace

CopyResult copy_image(const Options& options, const CopyRequest& request, const ProgressSink& progress,
                      StopFlag& stop) {
  return Copy(options, request, progress, stop).run();
}

}  // namespace gantry::registry
