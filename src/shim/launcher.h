#pragma once

#include <sys/types.h>

/// What makes the container's processes. Two take this place: `crun`, a program that ends when the step is done, and
/// the native launcher, whose child tells over a channel how far it is. The program inherits
/// streams::program_{in,out,err}, or gets a terminal.
namespace gantry::shim {

/// What a step is waited for by: the end of a process, or a packet on a channel.
struct Awaited {
  pid_t process = -1;
  int channel = -1;
};

struct Launcher {
  /// Everything but the program, which waits.
  Awaited (*create)();
  /// While `create` is not done: `start` will follow it at once, and nothing need be waited for in between.
  void (*start_follows)();
  /// Lets the program go.
  Awaited (*start)();
  /// Runs a further program in the running container.
  Awaited (*exec)();
  /// Something arrived on the channel: whether the step is done. Fails the shim with what the child failed with.
  bool (*received)();
  /// After create or exec: the program's process id.
  pid_t (*program)();
};

extern const Launcher crun_launcher;
extern const Launcher native_launcher;

}  // namespace gantry::shim
