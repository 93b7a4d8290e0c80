#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gantry/engine/types.h"

/// The states of a container and what leads from one to the next, as one table. Pure.
namespace gantry::engine {

enum class Transition {
  start,         ///< a user, a policy or recovery wants it to run
  prepared,      ///< addresses and ports are known, the program is about to be executed
  started,       ///< the program has been executed
  pause,         ///< a user wants its processes to halt
  unpause,       ///< and to go on
  start_undone,  ///< the first start failed; as if it had never been tried
  stop,          ///< asked to end
  ended,         ///< it does not run any more, and stays so
  ended_again,   ///< it does not run any more, and will be started again after the back-off
  remove,
};
BOOST_DESCRIBE_ENUM(Transition, start, prepared, started, pause, unpause, start_undone, stop, ended, ended_again,
                    remove)

/// nullopt: not possible in that state.
std::optional<State> next_state(State state, Transition transition);
/// The same; an Error (conflict) that says what state `name` is in and what to do instead.
State require_next_state(State state, Transition transition, const std::string& name);

/// A program is there, or is about to be.
bool is_active(State state);

}  // namespace gantry::engine
