#include "native/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys.h"

namespace gantry::shim::native {
namespace {

int root = -1;

int open_resolved(int directory, const char* path, std::uint64_t flags, std::uint64_t resolve) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve;
  for (;;) {
    int fd = static_cast<int>(::syscall(SYS_openat2, directory, path, &how, sizeof how));
    if (fd >= 0 || errno != EAGAIN) return fd;  // EAGAIN: something was renamed meanwhile
  }
}

void configure(int context, unsigned command, const char* key, const char* value, const char* type) {
  if (::fsconfig(context, command, key, value, 0) < 0) fail_errno("configure a mount of", type);
}

}  // namespace

int tree_root() { return root; }

void open_tree_root(const char* path) {
  root = ::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) fail_errno("open", path);
}

void close_tree_root() {
  ::close(root);
  root = -1;
}

int look_up(const char* path) { return look_up(path, O_PATH); }

int look_up(const char* path, std::uint64_t flags) {
  return open_resolved(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int open_beneath(int directory, const char* path, std::uint64_t flags) {
  return open_resolved(directory, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

int make_parent(const char* path, const char** name) {
  const char* slash = strrchr(path, '/');
  *name = slash == nullptr ? path : slash + 1;
  if (slash == nullptr || slash == path) return look_up("/");
  Path parent;
  parent.add(path, static_cast<std::size_t>(slash - path));
  int fd = look_up_or_make(parent.c_str(), Node::directory);
  return fd;
}

int look_up_or_make(const char* path, Node node) {
  int found = look_up(path);
  if (found >= 0 || errno != ENOENT) {
    if (found < 0) fail_errno("look up the mount target", path);
    return found;
  }
  const char* name;
  int parent = make_parent(path, &name);
  int made = node == Node::directory ? ::mkdirat(parent, name, 0755) : ::mknodat(parent, name, S_IFREG | 0755, 0);
  // A dangling link is in the way: the kernel would follow it for us, but not where it leads.
  if (made < 0 && errno != EEXIST) fail_errno("make the mount target", path);
  ::close(parent);
  found = look_up(path);
  if (found < 0) fail_errno("look up the mount target", path);
  return found;
}

int new_mount(const char* type, const char* options, std::uint64_t attributes) {
  int context = ::fsopen(type, FSOPEN_CLOEXEC);
  if (context < 0) fail_errno("prepare a mount of", type);
  for (const char* at = options; *at != 0;) {
    const char* end = strchrnul(at, ',');
    const char* equals = static_cast<const char*>(memchr(at, '=', static_cast<std::size_t>(end - at)));
    Text<256> key;
    Text<256> value;
    key.add(at, static_cast<std::size_t>((equals != nullptr ? equals : end) - at));
    if (equals != nullptr) value.add(equals + 1, static_cast<std::size_t>(end - equals - 1));
    configure(context, equals != nullptr ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key.c_str(),
              equals != nullptr ? value.c_str() : nullptr, type);
    at = *end == 0 ? end : end + 1;
  }
  configure(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, type);
  int mount = ::fsmount(context, FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes));
  if (mount < 0) fail_errno("mount", type);
  ::close(context);
  return mount;
}

int copy_mount(int directory, const char* path, bool recursive) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0u);
  if (*path == 0) flags |= AT_EMPTY_PATH;
  int tree = ::open_tree(directory, path, flags);
  if (tree < 0) fail_errno("copy the mount of", path);
  return tree;
}

void set_attributes(int mount, std::uint64_t attributes, bool recursive) {
  mount_attr wanted{};
  wanted.attr_set = attributes;
  wanted.propagation = MS_PRIVATE;
  // Propagation is for the whole tree, the attributes for its top unless asked otherwise.
  if (!recursive) {
    mount_attr propagation{};
    propagation.propagation = MS_PRIVATE;
    if (::mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &propagation, sizeof propagation) < 0)
      fail_errno("make private", "a mount");
    wanted.propagation = 0;
    if (attributes == 0) return;
  }
  if (::mount_setattr(mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0u), &wanted, sizeof wanted) < 0)
    fail_errno("set the attributes of", "a mount");
}

void set_manner(int mount, std::uint64_t attributes, bool recursive, unsigned propagation) {
  mount_attr wanted{};
  wanted.propagation = propagation & ~static_cast<unsigned>(MS_REC);
  unsigned below = (propagation & MS_REC) != 0 ? AT_RECURSIVE : 0u;
  if (::mount_setattr(mount, "", AT_EMPTY_PATH | below, &wanted, sizeof wanted) < 0)
    fail_errno("set the propagation of", "a mount");
  if (attributes == 0) return;
  wanted.propagation = 0;
  wanted.attr_set = attributes;
  if (::mount_setattr(mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0u), &wanted, sizeof wanted) < 0)
    fail_errno("set the attributes of", "a mount");
}

void move_mounts(const char* from, int target, const char* name) {
  if (::move_mount(AT_FDCWD, from, target, "", MOVE_MOUNT_T_EMPTY_PATH) < 0) fail_errno("move a mount to", name);
  ::close(target);
}

void attach(int mount, int target, const char* name) {
  if (::move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
    fail_errno("mount at", name);
  ::close(mount);
  ::close(target);
}

}  // namespace gantry::shim::native
