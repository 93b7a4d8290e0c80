#include "state_machine.h"

#include "gantry/base/error.h"
#include "gantry/base/json.h"

namespace gantry::engine {
namespace {

struct Edge {
  State from;
  Transition transition;
  State to;
};

constexpr Edge kEdges[] = {
    {State::created, Transition::start, State::starting},
    {State::created, Transition::remove, State::removing},

    {State::starting, Transition::prepared, State::starting},
    {State::starting, Transition::started, State::running},
    {State::starting, Transition::start_undone, State::created},
    {State::starting, Transition::ended, State::exited},
    {State::starting, Transition::ended_again, State::restarting},

    {State::running, Transition::pause, State::paused},
    {State::running, Transition::stop, State::stopping},
    {State::running, Transition::ended, State::exited},
    {State::running, Transition::ended_again, State::restarting},

    {State::paused, Transition::unpause, State::running},
    {State::paused, Transition::stop, State::stopping},
    {State::paused, Transition::ended, State::exited},
    {State::paused, Transition::ended_again, State::restarting},

    {State::stopping, Transition::stop, State::stopping},
    {State::stopping, Transition::ended, State::exited},
    {State::stopping, Transition::ended_again, State::restarting},

    {State::restarting, Transition::start, State::starting},
    {State::restarting, Transition::ended, State::exited},
    {State::restarting, Transition::ended_again, State::restarting},
    {State::restarting, Transition::remove, State::removing},

    {State::exited, Transition::start, State::starting},
    {State::exited, Transition::ended, State::exited},
    {State::exited, Transition::ended_again, State::restarting},
    {State::exited, Transition::remove, State::removing},

    {State::removing, Transition::remove, State::removing},
};

std::string fix_for(State state, Transition transition, const std::string& name) {
  if (state == State::removing) return "it will be gone in a moment; create it again under the same name after that";
  if (transition == Transition::remove) return "stop it first with 'gantry stop " + name + "', or use --force";
  if (transition == Transition::stop) return "only a running container can be stopped";
  if (state == State::paused) return "let it go on with 'gantry unpause " + name + "'";
  if (transition == Transition::pause) return "only a running container can be paused";
  if (transition == Transition::unpause) return "only a paused container can be unpaused";
  return {};
}

}  // namespace

std::optional<State> next_state(State state, Transition transition) {
  for (const auto& edge : kEdges)
    if (edge.from == state && edge.transition == transition) return edge.to;
  return std::nullopt;
}

State require_next_state(State state, Transition transition, const std::string& name) {
  if (auto next = next_state(state, transition)) return *next;
  throw Error(ErrorKind::conflict,
              "container " + name + " is " + json::name_of(state) + ": cannot " + json::name_of(transition) + " it",
              fix_for(state, transition, name));
}

bool is_active(State state) {
  return state == State::starting || state == State::running || state == State::paused || state == State::stopping;
}

}  // namespace gantry::engine
