#pragma once

#include <sys/types.h>

/// The container's control groups, made and set as the plan says.
namespace gantry::shim::native {

void make_cgroups();
/// Those of the plan's settings that have not been written yet.
void set_cgroups();
/// Version 1: opens what the child joins with, into `birth`. Version 2: the directory it is to be born in; else -1.
int open_cgroups();
void close_cgroups(int directory);
/// In the child.
void join_cgroups();
/// Whether the process is in a group of the plan, or below one: a number may have been given to another process.
bool is_in_cgroup(pid_t pid);

}  // namespace gantry::shim::native
