#pragma once

#include <boost/json.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::api::docker {

/// Reads a JSON object as Docker does: unknown members are ignored, null is the same as absent, a wrong type is an
/// Error (invalid) that names the member. Refers to the object it is made from.
class Body {
 public:
  explicit Body(const boost::json::object& object) : object_(&object) {}

  bool has(std::string_view key) const { return find(key) != nullptr; }
  const boost::json::value* find(std::string_view key) const;  ///< nullptr for null, too
  std::string text(std::string_view key) const;                ///< "" when absent
  bool flag(std::string_view key) const;                       ///< false when absent
  std::optional<bool> maybe_flag(std::string_view key) const;
  std::optional<std::int64_t> integer(std::string_view key) const;
  std::int64_t number(std::string_view key) const { return integer(key).value_or(0); }
  std::vector<std::string> strings(std::string_view key) const;
  /// A list of strings, or one string that stands for a list of one.
  std::optional<std::vector<std::string>> words(std::string_view key) const;
  std::map<std::string, std::string> map(std::string_view key) const;
  std::vector<std::string> keys(std::string_view key) const;  ///< of an object whose values mean nothing
  Body object(std::string_view key) const;                    ///< an empty one when absent
  std::vector<Body> objects(std::string_view key) const;
  const boost::json::object& raw() const { return *object_; }

 private:
  Body(const boost::json::object* object, std::string path) : object_(object), path_(std::move(path)) {}
  [[noreturn]] void refuse(std::string_view key, std::string_view expected) const;

  const boost::json::object* object_;
  std::string path_;
};

}  // namespace gantry::api::docker
