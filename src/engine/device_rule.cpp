#include "device_rule.h"

#include <charconv>
#include <optional>
#include <sstream>

#include "gantry/base/error.h"

namespace gantry::engine {
namespace {

[[noreturn]] void refuse(const std::string& text) {
  throw Error(ErrorKind::invalid, "device rule '" + text + "' is malformed",
              "write it as 'c 13:* rw': a, b or c, major:minor with * for all, and of r, w and m");
}

std::optional<std::int64_t> number_or_all(const std::string& text, const std::string& whole) {
  if (text == "*") return std::nullopt;
  std::int64_t value = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size() || value < 0) refuse(whole);
  return value;
}

}  // namespace

bool is_device_access(const std::string& text) {
  if (text.empty() || text.find_first_not_of("rwm") != std::string::npos) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text.find(text[i], i + 1) != std::string::npos) return false;
  return true;
}

runtime::DeviceAccess parse_device_rule(const std::string& text) {
  std::istringstream words(text);
  std::string type, numbers, access, rest;
  words >> type >> numbers >> access;
  auto colon = numbers.find(':');
  bool known = type == "a" || type == "b" || type == "c";
  if (!known || colon == std::string::npos || !is_device_access(access) || words >> rest) refuse(text);
  return {.type = type[0],
          .major = number_or_all(numbers.substr(0, colon), text),
          .minor = number_or_all(numbers.substr(colon + 1), text),
          .access = access};
}

}  // namespace gantry::engine
