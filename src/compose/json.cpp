#include "gantry/base/json.h"

#include "gantry/compose/compose.h"

namespace gantry::compose {

Stack stack_from_json(const boost::json::value& value) {
  auto stack = json::from<Stack>(value, json::Unknown::refuse);
  validate(stack);
  return stack;
}

boost::json::value to_json(const Stack& stack) { return json::to(stack); }

std::string canonical_text(const Stack& stack) { return json::pretty(json::to(stack)); }

}  // namespace gantry::compose
