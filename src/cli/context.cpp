#include "context.h"

#include "gantry/base/json.h"

namespace gantry::cli {

std::unique_ptr<Progress> Context::progress(bool quiet) const {
  if (quiet) return std::make_unique<NoProgress>();
  return make_progress(parse_progress_mode(flags.progress), console.colours());
}

void Context::print(const boost::json::value& value) const {
  auto text = json::pretty(value);
  console.out(text.ends_with('\n') ? text : text + "\n");
}

}  // namespace gantry::cli
