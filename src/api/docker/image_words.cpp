#include "image_words.h"

#include <fnmatch.h>

#include "describe.h"
#include "gantry/base/json.h"

namespace gantry::api::docker {
namespace {

namespace bj = boost::json;

std::int64_t unix_seconds(Timestamp time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

bj::value words_or_null(const std::optional<std::vector<std::string>>& words) {
  return words ? bj::value(strings_array(*words)) : bj::value(nullptr);
}

template <class T>
bj::value keys_or_null(const std::map<std::string, T>& map) {
  if (map.empty()) return nullptr;
  bj::object out;
  for (const auto& [key, value] : map) out[key] = bj::object();
  return out;
}

// Since 1.50 only what an image has; before, everything a container's configuration has, mostly empty.
bj::object config_of(const oci::RunConfig& config, int minor) {
  bj::object out;
  if (minor < 50) {
    out = {{"Hostname", ""},       {"Domainname", ""},      {"User", ""},
           {"AttachStdin", false}, {"AttachStdout", false}, {"AttachStderr", false},
           {"Tty", false},         {"OpenStdin", false},    {"StdinOnce", false},
           {"Env", bj::array()},   {"Cmd", nullptr},        {"Image", ""},
           {"Volumes", nullptr},   {"WorkingDir", ""},      {"Entrypoint", nullptr},
           {"OnBuild", nullptr},   {"Labels", nullptr}};
  }
  bool all = minor < 50;
  if (all || !config.User.empty()) out["User"] = config.User;
  if (!config.ExposedPorts.empty()) out["ExposedPorts"] = keys_or_null(config.ExposedPorts);
  if (all || !config.Env.empty()) out["Env"] = strings_array(config.Env);
  if (all || config.Cmd) out["Cmd"] = words_or_null(config.Cmd);
  if (config.Healthcheck) out["Healthcheck"] = json::to(*config.Healthcheck);
  if (all || !config.Volumes.empty()) out["Volumes"] = keys_or_null(config.Volumes);
  if (all || !config.WorkingDir.empty()) out["WorkingDir"] = config.WorkingDir;
  if (all || config.Entrypoint) out["Entrypoint"] = words_or_null(config.Entrypoint);
  if (all || !config.OnBuild.empty()) out["OnBuild"] = strings_or_null(config.OnBuild);
  if (all || !config.Labels.empty())
    out["Labels"] = config.Labels.empty() ? bj::value(nullptr) : bj::value(labels_object(config.Labels));
  if (config.StopSignal) out["StopSignal"] = *config.StopSignal;
  if (config.Shell) out["Shell"] = strings_array(*config.Shell);
  return out;
}

}  // namespace

LayerSizes::LayerSizes(const std::vector<image::LayerUse>& layers) {
  for (const auto& layer : layers) {
    layers_[layer.diff_id] = layer;
    if (layer.images > 0) total_ += layer.size;
  }
}

std::uint64_t LayerSizes::shared(const image::ImageInfo& image) const {
  std::uint64_t out = 0;
  std::set<std::string> counted;
  for (const auto& diff_id : image.layers) {
    auto found = layers_.find(diff_id);
    if (found != layers_.end() && found->second.images > 1 && counted.insert(diff_id).second) out += found->second.size;
  }
  return out;
}

bj::object inspect_image(const image::ImageInfo& image, int minor) {
  const auto& config = image.config;
  std::string comment;
  if (!config.history.empty()) comment = config.history.back().comment.value_or("");
  bj::object out{{"Id", image.id},
                 {"RepoTags", strings_array(image.references)},
                 {"RepoDigests", strings_array(image.digests)},
                 {"Parent", ""},
                 {"Comment", comment}};
  if (image.created != Timestamp{}) out["Created"] = to_rfc3339(image.created);
  if (minor < 44 && image.created == Timestamp{}) out["Created"] = go_time(std::nullopt);
  if (minor < 45) {
    out["Container"] = "";
    out["ContainerConfig"] = config_of({}, 0);
  }
  out["DockerVersion"] = "";
  out["Author"] = config.author.value_or("");
  out["Config"] = config_of(config.config, minor);
  out["Architecture"] = config.architecture;
  if (config.variant && !config.variant->empty()) out["Variant"] = *config.variant;
  out["Os"] = config.os;
  out["Size"] = image.size;
  if (minor < 44) out["VirtualSize"] = image.size;
  out["GraphDriver"] = bj::object{{"Data", nullptr}, {"Name", "overlay2"}};
  out["RootFS"] = bj::object{{"Type", "layers"}, {"Layers", strings_array(image.layers)}};
  out["Metadata"] = bj::object{{"LastTagTime", go_time(image.tagged)}};
  return out;
}

bj::object list_image(const image::ImageInfo& image, std::int64_t shared, std::int64_t containers, int minor) {
  auto tags = image.references;
  auto digests = image.digests;
  if (minor < 43 && tags.empty() && digests.empty()) {
    tags = {"<none>:<none>"};
    digests = {"<none>@<none>"};
  }
  const auto& labels = image.config.config.Labels;
  bj::object out{{"Containers", containers},
                 {"Created", image.created == Timestamp{} ? 0 : unix_seconds(image.created)},
                 {"Id", image.id},
                 {"Labels", labels.empty() ? bj::value(nullptr) : bj::value(labels_object(labels))},
                 {"ParentId", ""},
                 {"RepoDigests", strings_array(digests)},
                 {"RepoTags", strings_array(tags)},
                 {"SharedSize", shared},
                 {"Size", image.size}};
  if (minor < 44) out["VirtualSize"] = image.size;
  return out;
}

bj::array image_history(const image::ImageInfo& image, const std::vector<image::HistoryItem>& items) {
  bj::array out;
  for (const auto& item : items) {
    bool first = out.empty();
    out.push_back(bj::object{{"Comment", item.comment},
                             {"Created", item.created == Timestamp{} ? 0 : unix_seconds(item.created)},
                             {"CreatedBy", item.created_by},
                             {"Id", first ? image.id : "<missing>"},
                             {"Size", item.size},
                             {"Tags", first ? strings_or_null(image.references) : bj::value(nullptr)}});
  }
  return out;
}

bj::array removed_rows(const image::ImageStore::Removed& removed) {
  bj::array out;
  for (const auto& name : removed.untagged) out.push_back(bj::object{{"Untagged", name}});
  for (const auto& id : removed.deleted) out.push_back(bj::object{{"Deleted", id}});
  return out;
}

bool reference_matches(const std::string& pattern, const std::string& familiar) {
  auto fits = [&](const std::string& text) { return ::fnmatch(pattern.c_str(), text.c_str(), FNM_PATHNAME) == 0; };
  if (fits(familiar)) return true;
  auto at = familiar.find('@');
  if (at != std::string::npos) return fits(familiar.substr(0, at));
  auto colon = familiar.rfind(':');
  return colon != std::string::npos && fits(familiar.substr(0, colon));
}

}  // namespace gantry::api::docker
