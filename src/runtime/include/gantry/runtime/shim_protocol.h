#pragma once

#include <cstddef>
#include <cstdint>

/// What the daemon and a `gantry-shim` say to each other over `shim.sock` (SOCK_SEQPACKET: one packet is one message).
/// Plain types only, since the shim uses no library. Both ends are little-endian and of one machine.
///
///   a client connects -> hello(role) -> the shim answers with `state`; a control client gets it at each change, too
///   container: preparing -> created -> (start) running -> exited       exec: created -> (start) running -> exited
///   `failed` ends the conversation: the shim cleans up and ends.
namespace gantry::runtime::shim {

inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::size_t kMaxPayload = 16384;

enum class Message : std::uint8_t {
  hello = 1,    ///< to the shim: one byte, a Role
  start,        ///< to the shim: nothing; what comes before `created` is done then
  input,        ///< to the shim: bytes for standard input
  close_input,  ///< to the shim: nothing
  resize,       ///< to the shim: Window
  signal,       ///< to the shim: i32, to the init only
  state = 32,   ///< from the shim: Status
  out,          ///< from the shim: bytes of standard output
  err,          ///< from the shim: bytes of standard error
  end,          ///< from the shim: nothing more will come on the streams
  trace,        ///< from the shim to control clients, before `running`: lines "step<tab>nanoseconds (monotonic clock)"
  failed,       ///< from the shim: three lines: kind, message, fix; kind "launcher": the OCI runtime's log has it
};

enum class Role : std::uint8_t { control = 1, attach = 2 };
enum class State : std::uint8_t { preparing = 1, created, running, exited };

struct Header {
  std::uint8_t version = kVersion;
  Message type{};
  std::uint16_t zero = 0;
};
static_assert(sizeof(Header) == 4);

struct Status {
  State state{};
  std::uint8_t signaled = 0;
  std::uint8_t oom_killed = 0;
  std::uint8_t zero = 0;
  std::int32_t code = 0;      ///< 128 + number when signaled
  std::int32_t pid = 0;       ///< the program, on the host
  std::int32_t shim_pid = 0;  ///< the shim itself
  std::int64_t time = 0;      ///< of the exit, nanoseconds since 1970
};
static_assert(sizeof(Status) == 24);

struct Window {
  std::uint16_t rows = 0;
  std::uint16_t columns = 0;
};

/// Whether a client may send `message` while the shim is in `state`. Everything else ends that client's connection.
constexpr bool may_send(Role role, State state, Message message) {
  switch (message) {
    case Message::start:
      return role == Role::control && (state == State::preparing || state == State::created);
    case Message::signal:
    case Message::resize:
      return role == Role::control && state != State::preparing;
    case Message::input:
    case Message::close_input:
      return role == Role::attach;
    default:
      return false;
  }
}

/// The only way the states go.
constexpr bool may_follow(State from, State to) {
  switch (from) {
    case State::preparing:
      return to == State::created;
    case State::created:
      return to == State::running || to == State::exited;
    case State::running:
      return to == State::exited;
    case State::exited:
      return false;
  }
  return false;
}

/// The exact payload length of `message`, or -1 where any up to kMaxPayload is right.
constexpr int payload_length(Message message) {
  switch (message) {
    case Message::hello:
      return 1;
    case Message::start:
    case Message::close_input:
    case Message::end:
      return 0;
    case Message::resize:
      return sizeof(Window);
    case Message::signal:
      return 4;
    case Message::state:
      return sizeof(Status);
    default:
      return -1;
  }
}

}  // namespace gantry::runtime::shim
