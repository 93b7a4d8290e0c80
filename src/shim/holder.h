#pragma once

#include <sys/types.h>

#include <cstdint>

/// A child that holds the namespaces a container will be born into before its plan is known: a user namespace whose ids
/// are mapped later, and a network namespace that belongs to it. It waits, and ends when it is not needed any more or
/// the shim ends.
namespace gantry::shim::holder {

/// Namespaces of others that the plan names are joined instead.
void make(bool user_namespace, bool network_namespace);
bool made();
pid_t pid();
/// The ids of the plan, once.
void map_ids();
/// A descriptor of its user namespace, also after its end. -1: it has none of its own.
int user_namespace();
/// A child of the shim, born in the holder's namespaces and in new ones for processes, mounts and names, which runs
/// `first`. It shares our descriptors until it unshares them. `cgroup`: a version 2 directory it is born in, or -1. The
/// holder ends.
pid_t bear(void (*first)(), int cgroup);
void end();

/// clone3(2) like fork; `cgroup`: a version 2 directory the child is born in, or -1.
pid_t clone_process(std::uint64_t flags, int signal, int cgroup = -1);

}  // namespace gantry::shim::holder
