#include "body.h"

#include "gantry/base/error.h"

namespace gantry::api::docker {
namespace {

const boost::json::object kEmpty;

}  // namespace

void Body::refuse(std::string_view key, std::string_view expected) const {
  throw Error(ErrorKind::invalid, "invalid JSON: " + path_ + std::string(key) + ": expected " + std::string(expected));
}

const boost::json::value* Body::find(std::string_view key) const {
  const auto* value = object_->if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string Body::text(std::string_view key) const {
  const auto* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_string()) refuse(key, "a string");
  return std::string(value->get_string());
}

bool Body::flag(std::string_view key) const { return maybe_flag(key).value_or(false); }

std::optional<bool> Body::maybe_flag(std::string_view key) const {
  const auto* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_bool()) refuse(key, "true or false");
  return value->get_bool();
}

std::optional<std::int64_t> Body::integer(std::string_view key) const {
  const auto* value = find(key);
  if (value == nullptr) return std::nullopt;
  boost::system::error_code failed;
  if (!value->is_number()) refuse(key, "a number");
  auto number = value->to_number<std::int64_t>(failed);
  if (failed) refuse(key, "a whole number");
  return number;
}

std::vector<std::string> Body::strings(std::string_view key) const {
  const auto* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_array()) refuse(key, "a list of strings");
  std::vector<std::string> out;
  for (const auto& item : value->get_array()) {
    if (!item.is_string()) refuse(key, "a list of strings");
    out.emplace_back(item.get_string());
  }
  return out;
}

std::optional<std::vector<std::string>> Body::words(std::string_view key) const {
  const auto* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return std::vector<std::string>{std::string(value->get_string())};
  return strings(key);
}

std::map<std::string, std::string> Body::map(std::string_view key) const {
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : object(key).raw()) {
    if (value.is_null()) {
      out[std::string(name)] = "";
      continue;
    }
    if (!value.is_string()) refuse(key, "an object of strings");
    out[std::string(name)] = std::string(value.get_string());
  }
  return out;
}

std::vector<std::string> Body::keys(std::string_view key) const {
  std::vector<std::string> out;
  for (const auto& [name, value] : object(key).raw()) out.emplace_back(name);
  return out;
}

Body Body::object(std::string_view key) const {
  const auto* value = find(key);
  auto path = path_ + std::string(key) + ".";
  if (value == nullptr) return {&kEmpty, std::move(path)};
  if (!value->is_object()) refuse(key, "an object");
  return {&value->get_object(), std::move(path)};
}

std::vector<Body> Body::objects(std::string_view key) const {
  const auto* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_array()) refuse(key, "a list of objects");
  std::vector<Body> out;
  for (const auto& item : value->get_array()) {
    if (!item.is_object()) refuse(key, "a list of objects");
    out.push_back(Body(&item.get_object(), path_ + std::string(key) + "[]."));
  }
  return out;
}

}  // namespace gantry::api::docker
