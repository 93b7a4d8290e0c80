#pragma once

#include <sys/types.h>

#include <initializer_list>

/// What makes a child of the shim the program: who it is, what it may do, where it stands. All in the child.
namespace gantry::shim::native {

/// Signals, session, streams, and nobody who could look into it.
void begin_process();
/// Root of the user namespace, so that what is made in the container is its own.
void become_root();
/// Between these two the kernel kills the caller when the shim ends.
void die_with_shim();
void outlive_shim();
void join_keyring();
/// A terminal of the container's own devpts as standard streams; returns the master.
int make_terminal();
void use_streams();
/// Where the program has no input: the container's /dev/null in the place of the host's.
void leave_hosts_null();
/// Closes all but the standard streams and `wanted` (-1: nothing). From here on no path that the image or the plan
/// names
/// (/proc/self/fd/7/..), and nobody in the container, gets at what the shim has open.
void keep_only(std::initializer_list<int> wanted);
/// The working directory, made when it is missing.
void enter_working_directory();
/// The plan's user, groups and capabilities: nothing privileged is possible afterwards. The system call filter follows
/// with `execute`, or is installed here where only privilege allows that.
void drop_privileges();
/// The program's path, found as the plan's user finds it.
const char* find_program();
[[noreturn]] void execute(const char* program);
/// Tells the shim that everything but the program is there, and hands it the terminal (-1: none).
void tell_ready(int terminal);
void wait_for_go();
/// Ends the process when its shim has gone.
void require_shim();

}  // namespace gantry::shim::native
