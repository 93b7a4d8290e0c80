#pragma once

/// The private mount namespace of one container. Nothing made here is visible on the host; mounts the host makes later
/// still arrive. All of it is gone with the last process in it.
namespace gantry::shim {

/// A mount namespace of our own.
void enter_private_namespace();
/// The hybrid cgroup layout, hidden in it from crun.
void hide_unified_groups();

/// Root file system and id-mapped mounts, under a small tmpfs on an empty directory every system has:
///   <base>/r the root, <base>/m/<n> the n-th bind of the plan, <base>/l/<n> layers while the root is being mounted.
/// Not below the run directory: that is root's alone, and the container's root must be able to walk to its root.
/// The daemon chose <base> (kStage) and names it in config.json.
void mount_all();

/// The same for the native launcher: the root and the binds as mounts that are attached nowhere.
void mount_detached(int* root, int* binds);

/// After mount_all, before the last process of the namespace ends, so that the writable layer is free at once.
void unmount_all();

}  // namespace gantry::shim
