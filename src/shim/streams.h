#pragma once

#include <cstddef>

#include "gantry/runtime/shim_protocol.h"

/// The program's standard streams: three pipes, or a terminal whose master the OCI runtime sends over console.sock.
namespace gantry::shim::streams {

/// Our ends; -1 when closed. Non-blocking. With a terminal `out` and `in` are the master and `err` is never open.
extern int out, err, in;
/// The program's ends, for the OCI runtime to inherit; -1: /dev/null.
extern int program_in, program_out, program_err;

void make();
/// After the OCI runtime has made the program: takes the terminal, closes the program's ends.
void program_made();
/// The terminal's master, from the native launcher.
void take_terminal(int master);
/// What was written before the program could run is the OCI runtime's own talk.
void discard_pending();

/// False when there was no room for all of it: the rest is kept and `flush_input` must be called when `in` is writable.
bool write_input(const char* data, std::size_t size);
bool flush_input();
/// Once everything written has gone through.
void close_input();
void resize(const runtime::shim::Window& window);

}  // namespace gantry::shim::streams
