// What a client controls before any handler runs: the target with its query, and the bodies at the border. Whatever
// comes is either understood or refused with an Error; what is understood survives a round trip.
#include <cstdlib>

#include "gantry/base/http_message.h"
#include "gantry/base/http_stream.h"
#include "gantry/compose/compose.h"
#include "gantry/engine/types.h"
#include "parameters.h"

namespace {

using namespace gantry;
using namespace gantry::api;

void require(bool holds) {
  if (!holds) std::abort();
}

const Router& router() {
  static const Router table({{"GET", "/v1/images", "a", Effect::reads, {"reference"}, {}},
                             {"GET", "/v1/images/{reference}", "b", Effect::reads, {}, {}},
                             {"POST", "/v1/images/import", "c", Effect::changes, {"reference"}, {}},
                             {"GET", "/v1/containers/{id}/logs", "d", Effect::reads, {"tail", "since", "label"}, {}}});
  return table;
}

void route(std::string_view text) {
  auto target = http::parse_target(text);
  for (const char* method : {"GET", "POST"}) {
    try {
      auto match = router().match(method, target);
      for (const auto& [name, value] : match.parameters) require(!value.empty());
      check_query(*match.route, target.query);
    } catch (const Error&) {
    }
  }
  auto query = target.query.encode();
  auto again = http::parse_target("/" + (query.empty() ? query : "?" + query));
  require(again.query.pairs() == target.query.pairs());
  labels(target.query, "label");
  flag(target.query, "all");
  count(target.query, "tail");
  duration(target.query, "grace");
  timestamp(target.query, "since");
  choice<engine::State>(target.query, "status");
}

template <class T>
void body(std::string_view text) {
  auto value = json::from_text<T>(text, "request body", json::Unknown::refuse);
  auto written = json::to_text(value);
  require(json::to_text(json::from_text<T>(written, "again", json::Unknown::refuse)) == written);
}

void stack(std::string_view text) {
  auto value = compose::stack_from_json(json::parse(text, "request body"));
  require(compose::stack_from_json(compose::to_json(value)) == value);
}

void frames(std::string_view text) {
  http::FrameParser parser(1000);
  parser.feed(text);
  while (parser.next()) {
  }
}

void error_shape(std::string_view text) {
  if (auto error = http::error_from_body(text)) require(http::error_from_body(http::error_body(*error)).has_value());
}

}  // namespace

/// The first byte chooses what the rest is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    switch (data[0]) {
      case 'r':
        route(rest);
        break;
      case 'c':
        body<engine::ContainerSpec>(rest);
        break;
      case 'x':
        body<engine::ExecSpec>(rest);
        break;
      case 's':
        stack(rest);
        break;
      case 'f':
        frames(rest);
        break;
      default:
        error_shape(rest);
    }
  } catch (const Error&) {
  }
  return 0;
}
