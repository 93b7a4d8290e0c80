#include "gantry/base/json.h"

#include "gantry/compose/compose.h"

namespace gantry::compose {

namespace {

/// A zero byte would end a string early wherever the kernel or a C library takes it. The parser has bounded the depth.
void refuse_zero_bytes(const boost::json::value& value) {
  auto check = [](std::string_view text) {
    if (text.find('\0') != std::string_view::npos) throw Error(ErrorKind::invalid, "a string contains a zero byte");
  };
  if (const auto* text = value.if_string()) check(*text);
  if (const auto* array = value.if_array()) {
    for (const auto& each : *array) refuse_zero_bytes(each);
  }
  if (const auto* object = value.if_object()) {
    for (const auto& [key, each] : *object) {
      check(key);
      refuse_zero_bytes(each);
    }
  }
}

}  // namespace

Stack stack_from_json(const boost::json::value& value) {
  refuse_zero_bytes(value);
  auto stack = json::from<Stack>(value, json::Unknown::refuse);
  validate(stack);
  return stack;
}

boost::json::value to_json(const Stack& stack) { return json::to(stack); }

std::string canonical_text(const Stack& stack) { return json::pretty(json::to(stack)); }

}  // namespace gantry::compose
