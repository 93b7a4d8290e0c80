#pragma once

/// The cli module is the `gantry` command line: it parses what the user typed, calls the daemon's API over its unix
/// socket, and shows the answer. It owns no state; everything it creates (raw terminal mode, signal handlers) is put
/// back before it returns, also when a signal ends it.
namespace gantry::cli {

/// The whole program. Returns the exit status: 0, the container's own for `run` and `exec`, 2 for a usage error, else
/// exit_code(kind) of the Error that was printed.
int run(int argc, const char* const* argv);

}  // namespace gantry::cli
