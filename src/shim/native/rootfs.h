#pragma once

/// The container's view of files, made by its first process in its own mount namespace. What every container has is
/// made ahead, apart from the root; the root and the binds come from the shim, attached nowhere. Every target is looked
/// up once, inside the root, and used by descriptor: links in the image lead nowhere else.
namespace gantry::shim::native {

/// The plan's mounts so far with devices and hidden paths, in an empty file system that becomes "/"; the host's is gone
/// from here on.
void make_view();
/// The root with that view in it, and the mounts the plan has got since.
void make_root();
/// Kernel settings of the container's namespaces.
void write_sysctls();
/// The root becomes "/".
void enter_root();
/// The standard input as /dev/console, after that.
void show_console();

}  // namespace gantry::shim::native
