#include "gantry/base/json.h"

namespace gantry::json {
namespace {

void indent_into(std::string& out, const bj::value& value, std::size_t depth) {
  const std::string pad(2 * (depth + 1), ' ');
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    out += "{\n";
    bool first = true;
    for (const auto& [key, element] : *object) {
      if (!first) out += ",\n";
      first = false;
      out += pad + bj::serialize(bj::value(key)) + ": ";
      indent_into(out, element, depth + 1);
    }
    out += "\n" + std::string(2 * depth, ' ') + "}";
  } else if (const auto* array = value.if_array(); array != nullptr && !array->empty()) {
    out += "[\n";
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (i != 0) out += ",\n";
      out += pad;
      indent_into(out, (*array)[i], depth + 1);
    }
    out += "\n" + std::string(2 * depth, ' ') + "]";
  } else {
    out += bj::serialize(value);
  }
}

}  // namespace

bj::value parse(std::string_view text, std::string_view what) {
  boost::json::error_code failed;
  bj::parse_options options;
  options.max_depth = 64;
  auto value = bj::parse(text, failed, {}, options);
  if (failed) throw Error(ErrorKind::invalid, std::string(what) + ": not valid JSON: " + failed.message());
  return value;
}

std::string pretty(const bj::value& value) {
  std::string out;
  indent_into(out, value, 0);
  return out;
}

std::string_view detail::strip_underscore(std::string_view name) {
  return !name.empty() && name.back() == '_' ? name.substr(0, name.size() - 1) : name;
}

}  // namespace gantry::json
