#pragma once

#include <string>
#include <vector>

#include "context.h"
#include "gantry/engine/types.h"

namespace gantry::cli {

struct EventFlags {
  std::string since, until;
  bool no_follow = false;
  std::vector<std::string> filters;
};

/// Prints events until the daemon ends the stream or the user interrupts.
task<int> print_events(Context& context, EventFlags flags);

/// "2026-11-21T08:30:00.123Z container start web (exit_code=1)"
std::string event_text(const engine::Event& event);

}  // namespace gantry::cli
