#pragma once

/// The container's view of files, made by its first process in its own mount namespace from what the shim has mounted
/// under kStage. Every target is looked up once, inside the root, and used by descriptor: links in the image lead
/// nowhere else.
namespace gantry::shim::native {

/// Mounts and devices.
void make_root();
/// Kernel settings of the container's namespaces; while /proc/sys is writable.
void write_sysctls();
void hide_paths();
/// The root becomes "/", and the host's is gone.
void enter_root();
/// The standard input as /dev/console, after that.
void show_console();

}  // namespace gantry::shim::native
