#pragma once

#include <sys/types.h>

/// What makes the container's processes: the OCI runtime, as a child that ends when the step is done. Another launcher
/// takes its place by these functions alone. Each returns the child's process id, or -1 with errno. The program
/// inherits streams::program_{in,out,err}, or gets a terminal whose master arrives on console.sock.
namespace gantry::shim::launcher {

/// Everything but the program, which waits.
pid_t create();
/// Lets the program go.
pid_t start();
/// Runs process.json in the running container.
pid_t exec();
/// After create or exec: the program's process id.
pid_t program();

}  // namespace gantry::shim::launcher
