#pragma once

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

}  // namespace gantry::shim::native
