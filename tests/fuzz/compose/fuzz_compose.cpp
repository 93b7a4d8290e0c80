#include <boost/json.hpp>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gantry/base/json.h"
#include "gantry/compose/compose.h"

namespace {

namespace compose = gantry::compose;

/// A zero byte separates the compose file, `.env` and an override file.
std::optional<std::string> part(std::string_view data, int index) {
  for (; index > 0; --index) {
    auto end = data.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    data.remove_prefix(end + 1);
  }
  return std::string(data.substr(0, data.find('\0')));
}

compose::LoadOptions options_for(std::string_view data) {
  compose::LoadOptions options;
  options.current_directory = "/work/shop";
  options.env = {{"SET", "value"}, {"HOME", "/home/me"}};
  options.read_file = [data](const std::filesystem::path& path) -> std::optional<std::string> {
    if (path == "/work/shop/compose.yaml") return part(data, 0);
    if (path == "/work/shop/.env") return part(data, 1);
    if (path == "/work/shop/compose.override.yaml") return part(data, 2);
    return std::nullopt;
  };
  return options;
}

}  // namespace

/// Whatever the bytes are: either an Error, or a stack that is valid and survives the way through JSON.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::string_view data(reinterpret_cast<const char*>(bytes), size);
  compose::Stack stack;
  try {
    stack = compose::load(options_for(data)).stack;
  } catch (const gantry::Error&) {
    return 0;
  }
  auto text = boost::json::serialize(compose::to_json(stack));
  auto back = compose::stack_from_json(gantry::json::parse(text, "stack"));
  if (!(back == stack)) std::abort();
  compose::start_levels(stack);
  return 0;
}
