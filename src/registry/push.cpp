#include "push.h"

#include <algorithm>
#include <map>
#include <set>

#include "answers.h"
#include "blob.h"
#include "compress.h"
#include "gantry/base/json.h"
#include "gantry/base/log.h"
#include "layer_meter.h"
#include "manifest.h"
#include "remote.h"
#include "upload.h"
#include "url.h"
#include "workers.h"

// A layer is kept as files, not as the bytes it came in. To have the same digest where it goes as where it came from,
// in this order: the target has it already; another repository of the same registry has it; it is fetched from where it
// came and passed through; and only then it is packed again, with a digest of our making.
namespace gantry::registry {
namespace {

constexpr char kOciGzip[] = "application/vnd.oci.image.layer.v1.tar+gzip";
constexpr char kOciTar[] = "application/vnd.oci.image.layer.v1.tar";
constexpr char kDockerGzip[] = "application/vnd.docker.image.rootfs.diff.tar.gzip";

class Push {
 public:
  Push(image::ImageStore& images, const Options& options, const PushRequest& request, const ProgressSink& progress,
       StopFlag& stop)
      : images_(images),
        options_(options),
        request_(request),
        reference_(oci::Reference::parse(request.reference)),
        progress_(progress),
        transport_(options, stop),
        stop_(stop),
        remote_(transport_, options, reference_.domain, reference_.path, request.credentials) {}

  PushResult run() {
    if (!reference_.digest.empty())
      throw Error(ErrorKind::invalid, "push of " + request_.reference + ": an image is pushed by its tag",
                  "leave out the part from '@' on");
    info_ = images_.resolve(reference_.canonical());
    lease_ = images_.lease();
    for (const auto& diff_id : info_.layers) images_.hold(*lease_, diff_id);
    progress_({reference_.tag, Step::resolving, 0, 0, reference_.domain + "/" + reference_.path});
    config_ = images_.read_blob(info_.id);
    stored_text_ = images_.read_blob(info_.digest);
    stored_ = json::from_text<oci::Manifest>(stored_text_, "manifest of " + reference_.familiar());
    push_layers();
    push_config();
    push_manifest();
    return result_;
  }

 private:
  using Form = image::LayerForm;

  std::string shown() const { return "push of " + reference_.familiar(); }

  // What the stored manifest says about the layer in that place, when it is compressed.
  std::string stored_digest(std::size_t i) const {
    if (i >= stored_.layers.size() || stored_.layers[i].digest == info_.layers[i]) return "";
    return stored_.layers[i].digest;
  }

  void push_layers() {
    std::map<std::string, std::size_t> first;  // of equal layers, one is sent
    for (std::size_t i = 0; i < info_.layers.size(); ++i) first.try_emplace(info_.layers[i], i);
    std::vector<std::size_t> wanted;
    for (const auto& [diff_id, i] : first) wanted.push_back(i);
    std::sort(wanted.begin(), wanted.end());
    for (auto i : wanted) progress_({shown_id(i), Step::preparing, 0, 0, ""});
    std::vector<oci::Descriptor> sent(info_.layers.size());
    auto work = [&](std::size_t n) { sent[wanted[n]] = push_layer(wanted[n]); };
    for_each_at_once(wanted.size(), options_.layers_at_once, stop_, work);
    for (std::size_t i = 0; i < info_.layers.size(); ++i) layers_.push_back(sent[first.at(info_.layers[i])]);
  }

  std::string shown_id(std::size_t i) const {
    auto digest = stored_digest(i);
    return short_digest(digest.empty() ? info_.layers[i] : digest);
  }

  oci::Descriptor push_layer(std::size_t i) {
    const auto& diff_id = info_.layers[i];
    auto id = shown_id(i);
    auto forms = images_.forms(diff_id);
    auto preferred = stored_digest(i);
    std::stable_sort(forms.begin(), forms.end(),
                     [&](const auto& a, const auto& b) { return (a.digest == preferred) > (b.digest == preferred); });
    Form form;
    Step step = Step::complete;
    std::string detail;
    if (auto there = find_there(forms)) {
      form = *there;
      step = Step::exists;
    } else if (auto mounted = mount(forms)) {
      form = *mounted;
      step = Step::mounted;
      detail = form.repository;
    } else if (shared_with_us(diff_id)) {
      progress_({id, Step::exists, 0, 0, ""});
      return {kOciTar, diff_id, images_.layer_bytes(diff_id), {}};
    } else if (auto passed = pass_through(forms, id)) {
      form = *passed;
    } else {
      form = pack(diff_id, forms, id);
    }
    progress_({id, step, form.size, form.size, detail});
    images_.note_form(diff_id, {reference_.domain, reference_.path, form.digest, form.size, form.media_type});
    return {form.media_type, form.digest, form.size, {}};
  }

  std::optional<Form> find_there(const std::vector<Form>& forms) {
    std::set<std::string> asked;
    for (const auto& form : forms)
      if (asked.insert(form.digest).second && has_blob(remote_, form.digest)) return form;
    return std::nullopt;
  }

  std::optional<Form> mount(const std::vector<Form>& forms) {
    for (const auto& form : forms) {
      bool elsewhere = form.registry == reference_.domain && form.repository != reference_.path;
      if (elsewhere && mount_blob(remote_, form.digest, form.repository)) return form;
    }
    return std::nullopt;
  }

  // The registry inside this daemon has what the engine has, as it is, for who shows that it is the engine: no byte of
  // it is sent or kept a second time. Not noted as a form: others shall get it compressed. Another registry on this
  // machine takes the word for a repository it does not know.
  bool shared_with_us(const std::string& diff_id) {
    bool near = Url::parse("https://" + reference_.domain + "/").is_loopback();
    if (!near || !options_.vouchers || !images_.has_layer_tar(diff_id)) return false;
    auto voucher = options_.vouchers->vouch(diff_id);
    return mount_blob(remote_, diff_id, voucher->word());
  }

  LayerMeter meter(const std::string& id, std::uint64_t total) { return {progress_, id, Step::sending, total}; }

  Retries::Tell teller(std::string id) {
    return [this, id](const std::string& why, std::chrono::milliseconds wait) {
      progress_({id, Step::retrying, static_cast<std::uint64_t>((wait.count() + 999) / 1000), 0, why});
    };
  }

  void count(std::uint64_t bytes) {
    std::lock_guard lock(mutex_);
    result_.sent += bytes;
  }

  std::optional<Form> pass_through(const std::vector<Form>& forms, const std::string& id) {
    for (const auto& form : forms) {
      // With our credentials only where they belong.
      bool same = form.registry == reference_.domain;
      if (same && form.repository == reference_.path) continue;  // it had it once, and has it no more
      try {
        Remote source(transport_, options_, form.registry, form.repository,
                      same ? request_.credentials : std::optional<Credentials>());
        BlobRequest request{oci::Digest::parse(form.digest), form.size, "layer " + form.digest};
        auto shown_progress = meter(id, form.size);
        auto make = [&](const std::function<void(std::string_view)>& take) { fetch_blob(source, request, take, {}); };
        auto at = [&](std::uint64_t bytes) { shown_progress.at(bytes); };
        auto sent = upload_stream(remote_, "layer " + id, make, at, teller(id));
        if (sent.digest != form.digest)
          throw Error(ErrorKind::invalid, "layer " + form.digest + ": " + form.registry + " has other bytes now");
        count(sent.size);
        return form;
      } catch (const Error& error) {
        if (error.kind() == ErrorKind::cancelled) throw;
        log::info("{}: not to be had from {}/{} any more ({}); packing it again", form.digest, form.registry,
                  form.repository, error.message());
      }
    }
    return std::nullopt;
  }

  Form pack(const std::string& diff_id, const std::vector<Form>& forms, const std::string& id) {
    auto shown_progress = meter(id, 0);
    auto make = [&](const std::function<void(std::string_view)>& take) {
      Gzip gzip(take);
      images_.write_layer(diff_id, [&](std::string_view piece) { gzip.feed(piece); });
      gzip.finish();
    };
    auto at = [&](std::uint64_t bytes) { shown_progress.at(bytes); };
    auto sent = upload_stream(remote_, "layer " + id, make, at, teller(id));
    count(sent.size);
    bool as_before = forms.empty() ||
                     std::any_of(forms.begin(), forms.end(), [&](const auto& f) { return f.digest == sent.digest; });
    if (!as_before) {
      std::lock_guard lock(mutex_);
      result_.recompressed.push_back(diff_id);
    }
    return {reference_.domain, reference_.path, sent.digest, sent.size, kOciGzip};
  }

  void push_config() {
    if (!has_blob(remote_, info_.id)) upload_blob(remote_, config_, info_.id);
  }

  // The manifest it came with, when every layer is as it was; else one of our own.
  std::string manifest_text(std::string& type) {
    bool same = stored_.layers.size() == layers_.size() && stored_.config.digest == info_.id;
    for (std::size_t i = 0; same && i < layers_.size(); ++i) same = stored_.layers[i].digest == layers_[i].digest;
    if (same) {
      type = stored_.mediaType;
      return stored_text_;
    }
    oci::Manifest manifest;
    manifest.config = {kOciConfig, info_.id, config_.size(), {}};
    manifest.layers = layers_;
    for (auto& layer : manifest.layers)
      if (layer.mediaType == kDockerGzip) layer.mediaType = kOciGzip;
    manifest.annotations = stored_.annotations;
    type = manifest.mediaType;
    return json::to_text(manifest);
  }

  void push_manifest() {
    std::string type;
    auto text = manifest_text(type);
    Remote::Call call;
    call.method = "PUT";
    call.path = "manifests/" + reference_.tag;
    call.headers.emplace_back("Content-Type", type);
    call.body = text;
    call.pushes = true;
    call.what = shown();
    auto got = remote_.call(std::move(call));
    remote_.require_success(got.answer, shown());
    result_.reference = reference_.familiar();
    result_.repository = reference_.domain + "/" + reference_.path;
    result_.tag = reference_.tag;
    result_.digest = oci::Digest::of(text).str();
    result_.size = text.size();
    images_.set_digest(info_.id, reference_.canonical(), result_.digest);
  }

  image::ImageStore& images_;
  const Options& options_;
  const PushRequest& request_;
  oci::Reference reference_;
  const ProgressSink& progress_;
  Transport transport_;
  StopFlag& stop_;
  Remote remote_;
  std::shared_ptr<image::ImageStore::Lease> lease_;
  image::ImageInfo info_;
  std::string config_;
  std::string stored_text_;
  oci::Manifest stored_;
  std::vector<oci::Descriptor> layers_;
  std::mutex mutex_;  ///< of `result_` while layers are sent
  PushResult result_;
};

}  // namespace

PushResult push_image(image::ImageStore& images, const Options& options, const PushRequest& request,
                      const ProgressSink& progress, StopFlag& stop) {
  return Push(images, options, request, progress, stop).run();
}

}  // namespace gantry::registry
