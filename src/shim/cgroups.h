#pragma once

/// The container's cgroup directories, as named by the plan: one per hierarchy (version 1) or one (version 2).
namespace gantry::shim {

/// Whether the kernel killed a process of the container for want of memory. Before `remove_cgroups`.
bool out_of_memory_killed();
/// Kills what is still in them and removes them, children first.
void remove_cgroups();

}  // namespace gantry::shim
