#include "plan/paths.h"

#include <boost/json.hpp>

#include <algorithm>

namespace gantry::build {

std::string join_path(std::string_view directory, std::string_view path) {
  std::string out;
  if (!path.starts_with('/')) {
    out = directory.empty() ? "/" : std::string(directory);
    if (!out.ends_with('/')) out += '/';
  }
  out += path;
  auto last = out.substr(out.rfind('/') + 1);
  if (last == "." || last == "..") out += '/';
  return out;
}

std::vector<std::string> components_of(std::string_view path) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= path.size();) {
    auto end = std::min(path.find('/', at), path.size());
    auto part = path.substr(at, end - at);
    if (!part.empty() && part != ".") out.emplace_back(part);
    at = end + 1;
  }
  return out;
}

std::string clean_path(std::string_view path) {
  std::vector<std::string> kept;
  for (auto& part : components_of(path)) {
    if (part != "..") {
      kept.push_back(std::move(part));
    } else if (!kept.empty()) {
      kept.pop_back();
    }
  }
  std::string out;
  for (const auto& part : kept) out += "/" + part;
  return out.empty() ? "/" : out;
}

std::optional<std::vector<std::string>> json_strings(const std::string& text) {
  boost::json::error_code failed;
  auto value = boost::json::parse(text, failed);
  if (failed || !value.is_array()) return std::nullopt;
  std::vector<std::string> out;
  for (const auto& element : value.get_array()) {
    if (!element.is_string()) return std::nullopt;
    out.emplace_back(element.get_string());
  }
  return out;
}

}  // namespace gantry::build
