#pragma once

#include <cstdint>

/// Paths inside the container's root, before and after it is "/".
namespace gantry::shim::native {

/// The root's descriptor; kept open until `close_tree_root`.
int tree_root();
void open_tree_root(const char* path);
void close_tree_root();

enum class Node { directory, file };

/// Descriptor (O_PATH unless asked otherwise) of what `path` names inside the root, or -1 with errno.
int look_up(const char* path);
int look_up(const char* path, std::uint64_t flags);
/// Below a directory, without following links out of it.
int open_beneath(int directory, const char* path, std::uint64_t flags);
/// look_up; what is missing is made, with its parents.
int look_up_or_make(const char* path, Node node);
/// The parent directory (made when missing) of `path`, whose last component is given back in `name`.
int make_parent(const char* path, const char** name);

/// A new mount of a file system, not attached yet. `options`: "name=value" or "flag", separated by commas.
int new_mount(const char* type, const char* options, std::uint64_t attributes);
/// A copy of the mount at `path` (as seen from this process), not attached yet.
int copy_mount(int directory, const char* path, bool recursive);
void set_attributes(int mount, std::uint64_t attributes, bool recursive);
/// The same with another propagation than private; MS_REC: of the mounts below, too.
void set_manner(int mount, std::uint64_t attributes, bool recursive, unsigned propagation);
/// An attached mount with all below it goes to the target, which is closed.
void move_mounts(const char* from, int target, const char* name);
/// Attaches at a descriptor and closes both.
void attach(int mount, int target, const char* name);

}  // namespace gantry::shim::native
