#include "native/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "gantry/runtime/stage.h"
#include "native/birth.h"
#include "native/tree.h"
#include "plan.h"
#include "sys.h"

namespace gantry::shim::native {
namespace {

using runtime::kStage;

// In the file system of the view; before it is "/", at kStage.
constexpr char kView[] = "/w";
constexpr char kRoot[] = "/r";

std::size_t view_mounts = 0;
int whole_proc = -1;

Node node_at(int fd, const char* name) {
  struct stat info {};
  if (::fstat(fd, &info) < 0) fail_errno("inspect", name);
  return S_ISDIR(info.st_mode) ? Node::directory : Node::file;
}

void mount_bind(const MountWish& wish) {
  auto number = to_number(wish.options);
  if (number >= plan.bind_count) fail({.kind = "internal", .what = "no bind for", .object = wish.target});
  int tree = birth.binds[number];
  if (wish.propagation == 0) {
    set_attributes(tree, wish.flags, wish.deep);
  } else {
    set_manner(tree, wish.flags, wish.deep, wish.propagation);
  }
  attach(tree, look_up_or_make(wish.target, node_at(tree, wish.target)), wish.target);
}

void mount_new(const MountWish& wish) {
  int target = look_up_or_make(wish.target, Node::directory);
  if (node_at(target, wish.target) != Node::directory)
    fail({.kind = "invalid", .what = "mount target is no directory:", .object = wish.target});
  attach(new_mount(wish.kind, wish.options, wish.flags), target, wish.target);
}

void make_mount(const MountWish& wish) { strcmp(wish.kind, "bind") == 0 ? mount_bind(wish) : mount_new(wish); }

void make_link(const char* path, const char* to) {
  const char* name;
  int parent = make_parent(path, &name);
  if (::symlinkat(to, parent, name) < 0 && errno != EEXIST) fail_errno("make the link", path);
  ::close(parent);
}

// In a user namespace no device can be made: the host's is shown.
void show_device(const DeviceNode& device, std::uint64_t attributes) {
  int target = look_up_or_make(device.path, Node::file);
  int tree = copy_mount(AT_FDCWD, device.path, false);
  set_attributes(tree, attributes, false);
  attach(tree, target, device.path);
}

void make_device(const DeviceNode& device) {
  const char* name;
  int parent = make_parent(device.path, &name);
  mode_t type = device.type == 'b' ? S_IFBLK : S_IFCHR;
  // There already: the image's own.
  if (::mknodat(parent, name, type | device.mode, makedev(device.major, device.minor)) == 0) {
    if (::fchmodat(parent, name, device.mode, 0) < 0) fail_errno("make the device", device.path);
  } else if (errno != EEXIST) {
    fail_errno("make the device", device.path);
  }
  ::close(parent);
}

void make_devices() {
  constexpr DeviceNode kDevices[] = {{"/dev/null", 'c', 1, 3, 0666},   {"/dev/zero", 'c', 1, 5, 0666},
                                     {"/dev/full", 'c', 1, 7, 0666},   {"/dev/tty", 'c', 5, 0, 0666},
                                     {"/dev/random", 'c', 1, 8, 0666}, {"/dev/urandom", 'c', 1, 9, 0666}};
  for (const auto& device : kDevices)
    plan.mapped ? show_device(device, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC) : make_device(device);
  for (const auto& device : plan.devices)
    plan.mapped ? show_device(device, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC) : make_device(device);
  make_link("/dev/fd", "/proc/self/fd");
  make_link("/dev/stdin", "/proc/self/fd/0");
  make_link("/dev/stdout", "/proc/self/fd/1");
  make_link("/dev/stderr", "/proc/self/fd/2");
  make_link("/dev/core", "/proc/kcore");
  make_link("/dev/ptmx", "pts/ptmx");
}

void mask(const char* path) {
  int target = look_up(path);
  if (target < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES)) return;
  if (target < 0) fail_errno("mask", path);
  if (node_at(target, path) == Node::directory) {
    attach(new_mount("tmpfs", "source=tmpfs,size=0k", MOUNT_ATTR_RDONLY), target, path);
  } else {
    int tree = copy_mount(AT_FDCWD, "/dev/null", false);
    set_attributes(tree, MOUNT_ATTR_RDONLY, false);
    attach(tree, target, path);
  }
}

void make_read_only(const char* path) {
  int target = look_up(path);
  if (target < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES)) return;
  if (target < 0) fail_errno("make read-only", path);
  int tree = copy_mount(target, "", true);
  set_attributes(tree, MOUNT_ATTR_RDONLY, true);
  attach(tree, target, path);
}

bool is_hosts(const char* choice) { return choice != nullptr && *choice == 0; }

// Where there is no user namespace, nothing else keeps root from writing the host's.
bool is_separate(const char* name) {
  struct Setting {
    const char* beginning;
    const char* owner;
  };
  const auto& wanted = plan.namespaces;
  const Setting settings[] = {{"net.", wanted.network},   {"fs.mqueue.", wanted.ipc},
                              {"kernel.msg", wanted.ipc}, {"kernel.sem", wanted.ipc},
                              {"kernel.shm", wanted.ipc}, {"kernel.domainname", wanted.uts}};
  for (const auto& setting : settings)
    if (strncmp(name, setting.beginning, strlen(setting.beginning)) == 0) return !is_hosts(setting.owner);
  return false;
}

// Both become one mount on top of the other, and the lower one is taken away: no directory is needed for it.
void leave_host() {
  int host = ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (host < 0 || ::chdir(kStage) < 0 || ::syscall(SYS_pivot_root, ".", ".") < 0)
    fail_errno("pivot to", "the container's view");
  if (::fchdir(host) < 0 || ::umount2(".", MNT_DETACH) < 0) fail_errno("leave", "the host's root");
  ::close(host);
  if (::chdir("/") < 0) fail_errno("change to", "/");
}

}  // namespace

void make_view() {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) fail_errno("make private", "/");
  if (::mount("gantry", kStage, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0)
    fail_errno("mount a tmpfs on", kStage);
  Text<32> view;
  for (const char* directory : {kRoot, kView}) {
    view.clear();
    view.add(kStage).add(directory);
    if (::mkdir(view.c_str(), 0755) < 0) fail_errno("create directory", view.c_str());
  }
  open_tree_root(view.c_str());
  for (const auto& wish : plan.mounts) make_mount(wish);
  view_mounts = plan.mounts.count;
  int proc = look_up("/proc");
  if (proc < 0) fail_errno("look up", "/proc");
  // As it is before its paths are hidden, for the settings that are written later.
  whole_proc = copy_mount(proc, "", false);
  ::close(proc);
  if (plan.default_devices) make_devices();
  for (const char* path : plan.masked) mask(path);
  for (const char* path : plan.read_only) make_read_only(path);
  close_tree_root();
  leave_host();
}

void make_root() {
  int place = ::open(kRoot, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (place < 0) fail_errno("open", kRoot);
  set_attributes(birth.root, 0, false);
  attach(birth.root, place, kRoot);
  open_tree_root(kRoot);
  for (std::size_t i = 0; i < view_mounts; ++i) {
    const char* target = plan.mounts.items[i].target;
    if (strrchr(target, '/') != target) continue;  // it comes with the one above it
    Text<256> from;
    from.add(kView).add(target);
    move_mounts(from.c_str(), look_up_or_make(target, Node::directory), target);
  }
  for (std::size_t i = view_mounts; i < plan.mounts.count; ++i) make_mount(plan.mounts.items[i]);
}

void write_sysctls() {
  for (const auto& setting : plan.sysctls) {
    if (!is_separate(setting.name))
      fail({.kind = "invalid",
            .what = "set the host's sysctl",
            .object = setting.name,
            .fix = "only settings of the container's own namespaces can be changed"});
    Path path;
    path.add("sys/");
    for (const char* at = setting.name; *at != 0; ++at) path.add(*at == '.' ? "/" : at, 1);
    int fd = open_beneath(whole_proc, path.c_str(), O_WRONLY | O_NOFOLLOW);
    if (fd < 0 || !write_all(fd, setting.value, strlen(setting.value))) {
      int error = errno;
      Path what;
      what.add("set sysctl ").add(setting.name).add(" to");
      fail({.kind = "invalid",
            .what = what.c_str(),
            .object = setting.value,
            .error = error,
            .fix = "only settings of the container's own namespaces can be changed"});
    }
    ::close(fd);
  }
  ::close(whole_proc);
}

void show_console() {
  open_tree_root("/");
  int tree = copy_mount(0, "", false);
  set_attributes(tree, 0, false);
  attach(tree, look_up_or_make("/dev/console", Node::file), "/dev/console");
  close_tree_root();
}

void enter_root() {
  // The place a program is started in may be the image's to lack.
  if (plan.working_dir[0] == '/') {
    int directory = look_up_or_make(plan.working_dir, Node::directory);
    ::close(directory);
  }
  if (plan.read_only_root) set_attributes(tree_root(), MOUNT_ATTR_RDONLY, false);
  // Moved over "/" and not pivoted to, since the old root would have to be unmounted, and that waits (see
  // mount_detached). What stays below is the empty file system of the view.
  if (::fchdir(tree_root()) < 0) fail_errno("change to", "the root");
  close_tree_root();
  int place = ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (place < 0) fail_errno("open", "/");
  move_mounts(".", place, "/");
  if (::chroot(".") < 0 || ::chdir("/") < 0) fail_errno("change to", "the root");
}

}  // namespace gantry::shim::native
