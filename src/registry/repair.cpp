#include "repair.h"

#include <algorithm>

#include "blob.h"
#include "gantry/base/json.h"
#include "gantry/base/log.h"
#include "gantry/image/layer_receiver.h"
#include "layer_meter.h"
#include "manifest.h"
#include "remote.h"

namespace gantry::registry {
namespace {

using image::Damage;
using image::DamagedPart;

/// Gets damaged parts of images anew, one after the other.
class Repair {
 public:
  Repair(image::ImageStore& images, const Options& options, const Logins& logins, const image::ProgressSink& progress,
         StopFlag& stop)
      : images_(images),
        options_(options),
        logins_(logins),
        progress_(progress),
        stop_(stop),
        transport_(options, stop) {}

  void run(std::vector<Damage>& damages) {
    // A configuration's length stands in the manifest.
    auto rank = [](const Damage& damage) { return damage.part == DamagedPart::manifest ? 0 : 1; };
    std::stable_sort(damages.begin(), damages.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    for (auto& damage : damages) {
      stop_.check();
      repair(damage);
    }
  }

 private:
  void repair(Damage& damage) {
    tried_.clear();
    try {
      damage.repaired = attempt(damage);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cancelled) throw;
      tried_ = error.message();
    }
    if (damage.repaired) {
      log::info("{} repaired", damage.digest);
      damage.fix.clear();
    } else if (!tried_.empty()) {
      damage.fix = "it could not be had again: " + tried_ +
                   "; sign in, or try later, or remove the image and get, load or build it again";
    }
  }

  bool attempt(const Damage& damage) {
    switch (damage.part) {
      case DamagedPart::layer:
        return damage.images.empty() ? images_.discard_layers({damage.digest}), true : fetch_layer(damage.digest);
      case DamagedPart::manifest:
        return restore_manifest(damage.digest);
      case DamagedPart::configuration:
        return restore_configuration(damage.digest);
      case DamagedPart::blob:
        images_.discard_layers({});  // takes blobs that nobody has along
        return true;
      case DamagedPart::packages:
      case DamagedPart::row:
        return false;
    }
    return false;
  }

  /// Calls `get` for the repository at each place it may be had from, until one call succeeds.
  template <class F>
  bool anywhere(const std::string& registry, const std::string& repository, F get) {
    std::vector<std::string> places{registry};
    if (registry == "docker.io") places.insert(places.begin(), options_.mirrors.begin(), options_.mirrors.end());
    for (const auto& place : places) {
      try {
        Remote remote(transport_, options_, place, repository,
                      place == registry ? login_at(logins_, registry) : std::nullopt);
        get(remote);
        return true;
      } catch (const Error& error) {
        if (error.kind() == ErrorKind::cancelled || error.kind() == ErrorKind::exhausted) throw;
        tried_ = error.message();
      }
    }
    return false;
  }

  bool fetch_layer(const std::string& diff_id) {
    for (const auto& form : images_.forms(diff_id)) {
      auto get = [&](Remote& remote) { receive(remote, diff_id, form); };
      if (anywhere(form.registry, form.repository, get)) return true;
    }
    return false;
  }

  void receive(Remote& remote, const std::string& diff_id, const image::LayerForm& form) {
    auto digest = oci::Digest::parse(form.digest);
    auto id = "layer " + short_digest(diff_id);
    auto receiver = images_.receive_layer({digest, form.size, oci::Digest::parse(diff_id)}, images_.lease());
    ProgressSink tell = [&](const Progress& step) {
      if (progress_) progress_({id, "fetching", step.current, step.total});
    };
    LayerMeter meter(tell, id, Step::receiving, form.size);
    auto take = [&](std::string_view piece) {
      receiver->feed(piece);
      meter.at(receiver->received());
    };
    fetch_blob(remote, {digest, form.size, "layer " + short_digest(form.digest)}, take, {});
    receiver->finish();
    if (progress_) progress_({id, "repaired", 0, 0});
  }

  bool restore_manifest(const std::string& digest) {
    for (const auto& id : images_.images_of_manifest(digest)) {
      if (remake(id, digest)) return true;
      auto get = [&](Remote& remote) {
        Remote::Call call;
        call.path = "manifests/" + digest;
        call.headers.emplace_back("Accept", accepted_manifests());
        call.limit = kManifestLimit;
        auto got = remote.call(std::move(call));
        remote.require_success(got.answer, "manifest " + digest);
        images_.restore_blob(digest, got.answer.body);
      };
      if (at_origins(id, get)) return true;
    }
    return false;
  }

  bool remake(const std::string& id, const std::string& digest) {
    try {
      auto text = images_.remake_manifest(id);
      if (oci::Digest::of(text).str() != digest) return false;
      images_.restore_blob(digest, text);
      return true;
    } catch (const Error&) {
      return false;  // the configuration is damaged as well
    }
  }

  bool restore_configuration(const std::string& id) {
    auto manifest = json::from_text<oci::Manifest>(images_.read_blob(images_.manifest_digest(id)), "manifest of " + id);
    auto get = [&](Remote& remote) {
      auto digest = oci::Digest::parse(id);
      images_.restore_blob(id, read_blob(remote, {digest, manifest.config.size, "configuration " + id}));
    };
    return at_origins(id, get);
  }

  template <class F>
  bool at_origins(const std::string& id, F get) {
    for (const auto& origin : images_.origins(id)) {
      auto reference = oci::Reference::parse(origin);
      if (anywhere(reference.domain, reference.path, get)) return true;
    }
    return false;
  }

  image::ImageStore& images_;
  const Options& options_;
  const Logins& logins_;
  const image::ProgressSink& progress_;
  StopFlag& stop_;
  Transport transport_;
  std::string tried_;  ///< why the last attempt failed
};

}  // namespace

image::CheckReport verify_images(image::ImageStore& images, const Options& options, const VerifyRequest& request,
                                 const image::ProgressSink& progress, StopFlag& stop) {
  auto report = images.check(request.images, progress, [&] { stop.check(); });
  if (request.repair && !report.damages.empty())
    Repair(images, options, request.logins, progress, stop).run(report.damages);
  return report;
}

}  // namespace gantry::registry
