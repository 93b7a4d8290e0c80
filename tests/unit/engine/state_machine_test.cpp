#include "state_machine.h"

#include <gtest/gtest.h>

#include "gantry/base/error.h"

namespace gantry::engine {
namespace {

TEST(StateMachine, AnOrdinaryLife) {
  State state = State::created;
  for (auto transition : {Transition::start, Transition::prepared, Transition::started, Transition::stop,
                          Transition::ended, Transition::remove}) {
    auto next = next_state(state, transition);
    ASSERT_TRUE(next.has_value());
    state = *next;
  }
  EXPECT_EQ(state, State::removing);
}

TEST(StateMachine, ARestartGoesThroughTheBackOff) {
  EXPECT_EQ(next_state(State::running, Transition::ended_again), State::restarting);
  EXPECT_EQ(next_state(State::restarting, Transition::start), State::starting);
  EXPECT_EQ(next_state(State::restarting, Transition::ended), State::exited);
}

TEST(StateMachine, AFirstStartThatFailsLeavesItCreated) {
  EXPECT_EQ(next_state(State::starting, Transition::start_undone), State::created);
}

TEST(StateMachine, WhatRunsIsNotStartedOrRemoved) {
  for (auto state : {State::starting, State::running, State::paused, State::stopping}) {
    EXPECT_FALSE(next_state(state, Transition::start).has_value());
    EXPECT_FALSE(next_state(state, Transition::remove).has_value());
  }
}

TEST(StateMachine, WhatIsPausedGoesOnOrEnds) {
  EXPECT_EQ(next_state(State::running, Transition::pause), State::paused);
  EXPECT_EQ(next_state(State::paused, Transition::unpause), State::running);
  EXPECT_EQ(next_state(State::paused, Transition::stop), State::stopping);
  EXPECT_EQ(next_state(State::paused, Transition::ended), State::exited);
  EXPECT_EQ(next_state(State::paused, Transition::ended_again), State::restarting);
  EXPECT_FALSE(next_state(State::paused, Transition::pause).has_value());
  EXPECT_FALSE(next_state(State::exited, Transition::pause).has_value());
}

TEST(StateMachine, NothingLeadsOutOfARemoval) {
  for (auto transition : {Transition::start, Transition::started, Transition::stop, Transition::ended,
                          Transition::ended_again, Transition::start_undone})
    EXPECT_FALSE(next_state(State::removing, transition).has_value());
  EXPECT_EQ(next_state(State::removing, Transition::remove), State::removing);
}

TEST(StateMachine, ARefusalNamesTheContainerItsStateAndTheFix) {
  try {
    require_next_state(State::running, Transition::remove, "web");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_EQ(error.message(), "container web is running: cannot remove it");
    EXPECT_NE(error.fix().find("gantry stop web"), std::string::npos);
  }
}

}  // namespace
}  // namespace gantry::engine
