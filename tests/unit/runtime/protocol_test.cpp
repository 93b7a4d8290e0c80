#include "gantry/runtime/shim_protocol.h"

#include <gtest/gtest.h>

#include "gantry/base/files.h"
#include "launcher_error.h"

namespace gantry::runtime {
namespace {

using shim::Message;
using shim::Role;
using shim::State;

TEST(Protocol, StatesGoForwardOnly) {
  constexpr State all[] = {State::preparing, State::created, State::running, State::exited};
  for (State from : all)
    for (State to : all) {
      bool expected = (from == State::preparing && to == State::created) ||
                      (from == State::created && (to == State::running || to == State::exited)) ||
                      (from == State::running && to == State::exited);
      EXPECT_EQ(shim::may_follow(from, to), expected) << int(from) << " " << int(to);
    }
}

struct SendCase {
  Role role;
  State state;
  Message message;
  bool allowed;
};

TEST(Protocol, WhoMaySayWhatWhen) {
  constexpr SendCase cases[] = {{Role::control, State::created, Message::start, true},
                                {Role::control, State::preparing, Message::start, true},
                                {Role::control, State::running, Message::start, false},
                                {Role::attach, State::created, Message::start, false},
                                {Role::control, State::running, Message::signal, true},
                                {Role::control, State::preparing, Message::signal, false},
                                {Role::attach, State::running, Message::signal, false},
                                {Role::control, State::running, Message::resize, true},
                                {Role::attach, State::preparing, Message::input, true},
                                {Role::control, State::running, Message::input, false},
                                {Role::attach, State::running, Message::close_input, true},
                                {Role::control, State::running, Message::state, false},
                                {Role::control, State::running, Message::hello, false},
                                {Role::attach, State::running, Message(77), false}};
  for (const auto& c : cases) EXPECT_EQ(shim::may_send(c.role, c.state, c.message), c.allowed) << int(c.message);
}

TEST(Protocol, Lengths) {
  EXPECT_EQ(shim::payload_length(Message::hello), 1);
  EXPECT_EQ(shim::payload_length(Message::resize), 4);
  EXPECT_EQ(shim::payload_length(Message::state), 24);
  EXPECT_EQ(shim::payload_length(Message::out), -1);
}

struct Said {
  const char* message;
  ErrorKind kind;
  const char* expected;
};

TEST(LauncherError, InOurWords) {
  constexpr Said cases[] = {
      {"executable file `nosuch` not found in $PATH: No such file or directory", ErrorKind::not_found,
       "nosuch: no such command in the image"},
      {"open executable: Permission denied", ErrorKind::invalid, "the command is not executable"},
      {"exec container process `/x`: Exec format error", ErrorKind::invalid,
       "/x: the command is not a program for this machine"},
      {"something new", ErrorKind::invalid, "the OCI runtime refused the container: something new"}};
  for (const auto& c : cases) {
    auto error = launcher_error(c.message);
    EXPECT_EQ(error.kind(), c.kind) << c.message;
    EXPECT_EQ(error.message(), c.expected);
  }
}

TEST(LauncherError, FromTheLogAndFromTheShim) {
  TemporaryDirectory directory("/tmp", "gantry-unit-");
  write_file(directory.path() / "crun.log",
             "{\"msg\":\"warn\",\"level\":\"warning\"}\n{\"msg\":\"executable file `a` not found in $PATH\"}\n");
  EXPECT_EQ(shim_error("launcher\n\n", directory.path()).message(), "a: no such command in the image");
  auto error = shim_error("exhausted\nmount /x: no space left\nmake room", directory.path());
  EXPECT_EQ(error.kind(), ErrorKind::exhausted);
  EXPECT_EQ(error.message(), "mount /x: no space left");
  EXPECT_EQ(error.fix(), "make room");
  EXPECT_EQ(shim_error("", directory.path()).kind(), ErrorKind::internal);
}

}  // namespace
}  // namespace gantry::runtime
