#include "cache_label.h"

#include <boost/json.hpp>

#include <algorithm>

namespace gantry::build {
namespace {

constexpr char kLabel[] = "gantry.build.cache";

bool is_text(const boost::json::value& value) { return value.is_string() && value.get_string().size() < 200; }

}  // namespace

void write_cache_label(oci::ImageConfig& config, const std::vector<std::string>& layers,
                       const std::vector<CachedStep>& steps) {
  boost::json::array out;
  for (const auto& step : steps) {
    if (std::find(layers.begin(), layers.end(), step.diff_id) == layers.end()) continue;
    out.push_back(boost::json::array{step.key, step.diff_id, step.created});
  }
  config.config.Labels[kLabel] = boost::json::serialize(out);
}

std::vector<CachedStep> read_cache_label(const oci::ImageConfig& config, const std::vector<std::string>& layers) {
  std::vector<CachedStep> out;
  auto label = config.config.Labels.find(kLabel);
  if (label == config.config.Labels.end()) return out;
  boost::json::error_code failed;
  auto value = boost::json::parse(label->second, failed);
  if (failed || !value.is_array()) return out;
  for (const auto& item : value.get_array()) {
    if (!item.is_array() || item.get_array().size() != 3) continue;
    const auto& fields = item.get_array();
    if (!std::all_of(fields.begin(), fields.end(), is_text)) continue;
    auto text = [&](std::size_t i) { return std::string(fields[i].get_string()); };
    if (std::find(layers.begin(), layers.end(), text(1)) != layers.end()) out.push_back({text(0), text(1), text(2)});
  }
  return out;
}

}  // namespace gantry::build
