#include "pull.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>

#include "answers.h"
#include "blob.h"
#include "gantry/base/json.h"
#include "gantry/base/log.h"
#include "gantry/image/layer_receiver.h"
#include "layer_meter.h"
#include "manifest.h"
#include "remote.h"
#include "workers.h"

namespace gantry::registry {
namespace {

constexpr int kDeepestIndex = 4;

Remote::Call manifest_call(const std::string& reference, std::string method = "GET") {
  Remote::Call call;
  call.method = std::move(method);
  call.path = "manifests/" + reference;
  call.headers.emplace_back("Accept", accepted_manifests());
  call.limit = kManifestLimit;
  return call;
}

struct Fetched {
  std::string text;
  std::string content_type;
  oci::Digest digest;
};

struct Layer {
  oci::Descriptor blob;
  std::string diff_id;
};

class Pull {
 public:
  Pull(image::ImageStore& images, const Options& options, const PullRequest& request, const ProgressSink& progress,
       StopFlag& stop)
      : images_(images),
        options_(options),
        request_(request),
        reference_(oci::Reference::parse(request.reference)),
        wanted_(request.platform.value_or(Platform::host())),
        progress_(progress),
        transport_(options, stop),
        stop_(stop) {}

  PullResult run() {
    result_.reference = reference_.familiar();
    if (request_.policy != PullPolicy::always && have_it()) return result_;
    progress_({wanted_reference(), Step::resolving, 0, 0, reference_.domain + "/" + reference_.path});
    note_before();
    connect();
    if (is_current()) return result_;
    auto top = fetch_first();
    result_.digest = top.digest.str();
    auto manifest_text = descend(std::move(top));
    auto manifest = parse_manifest(manifest_text);
    auto config = fetch_config(manifest);
    auto layers = layers_of(manifest, config);
    lease_ = images_.lease();
    fetch_layers(layers);
    publish(config, manifest_text, layers);
    return result_;
  }

 private:
  /// What to ask the registry for.
  std::string wanted_reference() const { return reference_.digest.empty() ? reference_.tag : reference_.digest; }
  std::string shown() const { return "image " + reference_.familiar(); }

  bool have_it() {
    try {
      auto info = images_.resolve(request_.reference);
      if (request_.platform && !is_for_platform(info.config)) return false;
      result_.image = std::move(info);
      return true;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found || request_.policy == PullPolicy::never) throw;
      return false;
    }
  }

  void note_before() {
    try {
      before_ = images_.resolve(reference_.canonical()).id;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
    }
  }

  void connect() {
    if (reference_.domain == "docker.io")
      for (const auto& mirror : options_.mirrors)
        remotes_.push_back(
            std::make_unique<Remote>(transport_, options_, mirror, reference_.path, std::optional<Credentials>()));
    remotes_.push_back(
        std::make_unique<Remote>(transport_, options_, reference_.domain, reference_.path, request_.credentials));
  }

  bool is_for_platform(const oci::ImageConfig& config) const {
    return fit(wanted_, {config.os, config.architecture, config.variant.value_or("")}) > 0;
  }

  // Asking for the digest alone costs registries (and their rate limits) nothing.
  bool is_current() {
    if (remotes_.size() > 1) return false;
    try {
      auto got = remotes_.front()->attempt(manifest_call(wanted_reference(), "HEAD"));
      const auto* digest = got.answer.headers.find("Docker-Content-Digest");
      if (got.answer.status != 200 || digest == nullptr) return false;
      oci::Digest::parse(*digest);
      auto info = images_.resolve(reference_.domain + "/" + reference_.path + "@" + *digest);
      if (!is_for_platform(info.config)) return false;
      result_.digest = *digest;
      result_.changed = info.id != before_;
      if (reference_.digest.empty()) images_.tag(info.id, reference_.canonical());
      result_.image = images_.resolve(info.id);
      return true;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cancelled) throw;
      return false;  // not here, or not to be had: the long way tells
    }
  }

  Fetched fetch_manifest(Remote& remote, const std::string& reference) {
    auto call = manifest_call(reference);
    call.what = shown();
    auto got = remote.call(std::move(call), teller(wanted_reference()));
    remote.require_success(got.answer, shown());
    Fetched out{std::move(got.answer.body), got.answer.headers.get("Content-Type"), {}};
    out.digest = oci::Digest::of(out.text);
    if (reference.starts_with("sha256:") && out.digest.str() != reference)
      throw Error(ErrorKind::invalid,
                  shown() + ": the registry gives the manifest " + out.digest.str() + " for " + reference,
                  "the registry is at fault; try again, or another mirror");
    return out;
  }

  Fetched fetch_first() {
    for (std::size_t i = 0;; ++i) {
      try {
        auto got = fetch_manifest(*remotes_[i], wanted_reference());
        source_ = i;
        return got;
      } catch (const Error& error) {
        if (i + 1 == remotes_.size() || error.kind() == ErrorKind::cancelled) throw;
        log::warn("mirror {}: {}; asking the next", remotes_[i]->registry(), error.message());
      }
    }
  }

  // From an index down to the manifest for the platform.
  std::string descend(Fetched at) {
    std::set<std::string> seen;
    for (int depth = 0; kind_of_manifest(at.text, at.content_type) == ManifestKind::index; ++depth) {
      if (depth >= kDeepestIndex || !seen.insert(at.digest.str()).second)
        throw Error(ErrorKind::invalid, shown() + ": its index leads to other indexes without end");
      auto index = parse_index(at.text);
      const auto* entry = &choose_for(index);
      at = fetch_manifest(*remotes_[source_], entry->digest);
    }
    return std::move(at.text);
  }

  const ListedManifest& choose_for(const Index& index) {
    try {
      return choose(index, wanted_);
    } catch (Error& error) {
      throw error.within(shown());
    }
  }

  std::string fetch_config(const oci::Manifest& manifest) {
    auto digest = oci::Digest::parse(manifest.config.digest);
    std::string text;
    try {
      text = images_.read_blob(digest.str());
    } catch (const Error&) {
      text = read_blob(*remotes_[source_],
                       {digest, manifest.config.size, "configuration " + digest.str() + " of " + shown()});
    }
    return text;
  }

  std::vector<Layer> layers_of(const oci::Manifest& manifest, const std::string& config_text) {
    auto config = json::from_text<oci::ImageConfig>(config_text, "configuration of " + shown());
    if (config.os != "linux")
      throw Error(ErrorKind::unsupported, shown() + " is for " + printable(config.os, 40) + ", not for Linux");
    if (request_.platform && !is_for_platform(config))
      throw Error(ErrorKind::not_found, shown() + ": there is no image for " + wanted_.str(),
                  "there is one for " + config.os + "/" + config.architecture);
    if (config.rootfs.diff_ids.size() != manifest.layers.size())
      throw Error(ErrorKind::invalid, shown() + ": its configuration lists " +
                                          std::to_string(config.rootfs.diff_ids.size()) + " layers, its manifest " +
                                          std::to_string(manifest.layers.size()));
    std::vector<Layer> out;
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      oci::Digest::parse(config.rootfs.diff_ids[i]);
      out.push_back({manifest.layers[i], config.rootfs.diff_ids[i]});
    }
    return out;
  }

  Retries::Tell teller(std::string id) {
    return [this, id](const std::string& why, std::chrono::milliseconds wait) {
      auto seconds = static_cast<std::uint64_t>((wait.count() + 999) / 1000);
      progress_({id, Step::retrying, seconds, 0, why});
    };
  }

  void fetch_layers(const std::vector<Layer>& layers) {
    std::vector<const Layer*> missing;
    std::set<std::string> known;
    for (const auto& layer : layers) {
      if (!known.insert(layer.diff_id).second) continue;
      bool here = is_here(layer);
      progress_({short_digest(layer.blob.digest), here ? Step::exists : Step::waiting, 0, layer.blob.size, ""});
      if (!here) missing.push_back(&layer);
    }
    // The largest takes longest, so it begins first.
    std::stable_sort(missing.begin(), missing.end(),
                     [](const auto* a, const auto* b) { return a->blob.size > b->blob.size; });
    auto work = [&](std::size_t i) { fetch_layer(*missing[i]); };
    for_each_at_once(missing.size(), options_.layers_at_once, stop_, work);
  }

  bool is_here(const Layer& layer) {
    try {
      images_.hold(*lease_, layer.diff_id);
      return true;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
      return false;
    }
  }

  void fetch_layer(const Layer& layer) {
    auto digest = oci::Digest::parse(layer.blob.digest);
    auto id = short_digest(layer.blob.digest);
    BlobRequest request{digest, layer.blob.size, "layer " + id + " of " + shown()};
    auto receiver = images_.receive_layer({digest, layer.blob.size, oci::Digest::parse(layer.diff_id)}, lease_);
    LayerMeter meter(progress_, id, Step::receiving, layer.blob.size);
    auto take = [&](std::string_view piece) {
      receiver->feed(piece);
      received_ += piece.size();
      meter.at(receiver->received());
    };
    fetch_blob(*remotes_[source_], request, take, teller(id));
    progress_({id, Step::finishing, layer.blob.size, layer.blob.size, ""});
    receiver->finish();
    progress_({id, Step::complete, layer.blob.size, layer.blob.size, ""});
  }

  void publish(const std::string& config, const std::string& manifest, const std::vector<Layer>& layers) {
    std::vector<std::string> diff_ids;
    for (const auto& layer : layers) {
      diff_ids.push_back(layer.diff_id);
      images_.note_form(layer.diff_id,
                        {reference_.domain, reference_.path, layer.blob.digest, layer.blob.size, layer.blob.mediaType});
    }
    bool named = reference_.digest.empty();
    auto info = images_.adopt_image(config, manifest, diff_ids, named ? reference_.canonical() : "", *lease_, !named);
    images_.set_digest(info.id, reference_.canonical(), result_.digest);
    result_.image = images_.resolve(info.id);
    result_.changed = info.id != before_;
    result_.received = received_;
  }

  image::ImageStore& images_;
  const Options& options_;
  const PullRequest& request_;
  oci::Reference reference_;
  Platform wanted_;
  const ProgressSink& progress_;
  Transport transport_;
  StopFlag& stop_;
  std::vector<std::unique_ptr<Remote>> remotes_;
  std::size_t source_ = 0;  ///< of `remotes_`: where the manifest came from
  std::shared_ptr<image::ImageStore::Lease> lease_;
  std::string before_;  ///< the image that had the name
  std::atomic<std::uint64_t> received_ = 0;
  PullResult result_;
};

}  // namespace

PullResult pull_image(image::ImageStore& images, const Options& options, const PullRequest& request,
                      const ProgressSink& progress, StopFlag& stop) {
  return Pull(images, options, request, progress, stop).run();
}

}  // namespace gantry::registry
