#include "plan/variables.h"

#include <algorithm>
#include <array>

#include "plan/platforms.h"

namespace gantry::build {

namespace {

bool names(std::string_view entry, std::string_view name) {
  return entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name);
}

}  // namespace

void set_variable(std::vector<std::string>& environment, const std::string& name, const std::string& value) {
  auto found =
      std::find_if(environment.begin(), environment.end(), [&](const auto& entry) { return names(entry, name); });
  if (found == environment.end()) found = environment.insert(found, "");
  *found = name + "=" + value;
}

std::optional<std::string> find_variable(const std::vector<std::string>& environment, std::string_view name) {
  for (const auto& entry : environment)
    if (names(entry, name)) return entry.substr(name.size() + 1);
  return std::nullopt;
}

bool is_proxy_argument(std::string_view name) {
  static constexpr std::array<std::string_view, 10> kNames = {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy",
                                                              "FTP_PROXY",  "ftp_proxy",  "NO_PROXY",    "no_proxy",
                                                              "ALL_PROXY",  "all_proxy"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

Arguments::Arguments(const Options& options, const Platform& platform, const std::string& target)
    : given_(options.arguments),
      target_(options.platform.empty() ? platform : parse_platform(options.platform, platform)) {
  for (const auto& [side, one] : {std::pair<std::string, const Platform&>{"TARGET", target_}, {"BUILD", platform}}) {
    automatic_[side + "PLATFORM"] = one.str();
    automatic_[side + "OS"] = one.os;
    automatic_[side + "ARCH"] = one.architecture;
    automatic_[side + "VARIANT"] = one.variant;
  }
  automatic_["TARGETSTAGE"] = target.empty() ? "default" : target;
}

void Arguments::declare_global(const std::string& name, const std::optional<std::string>& fallback) {
  auto value = given_.find(name);
  used_.insert(name);
  globals_[name] = value != given_.end() ? std::optional(value->second) : fallback ? fallback : global(name);
}

std::optional<std::string> Arguments::global(std::string_view name) const {
  if (auto found = globals_.find(name); found != globals_.end()) return found->second;
  if (auto found = automatic_.find(name); found != automatic_.end()) return found->second;
  return std::nullopt;
}

std::optional<std::string> Arguments::in_stage(const std::string& name, const std::optional<std::string>& fallback) {
  used_.insert(name);
  if (auto value = given_.find(name); value != given_.end()) return value->second;
  return fallback ? fallback : global(name);
}

std::vector<std::string> Arguments::unused() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : given_)
    if (!used_.contains(name) && !is_proxy_argument(name) && name != "SOURCE_DATE_EPOCH") names.push_back(name);
  return names;
}

}  // namespace gantry::build
