#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "gantry/runtime/stage.h"
#include "holder.h"
#include "log.h"
#include "plan.h"
#include "sys.h"

namespace gantry::shim {
namespace {

using runtime::kStage;

constexpr char kOtherFileSystem[] =
    "this file system cannot be mounted with mapped ids: put it on another one (ext4, xfs, btrfs), or run the "
    "container with the host's user namespace";

int layer_fds[kMaxLayers];
int bind_fds[kMaxBinds];
int upper_fd = -1;
Path upper_parent;

int clone_opened(int path, bool recursive) {
  unsigned flags = AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0u);
  return ::open_tree(path, "", flags);
}

// What a container has put there leads to nothing outside.
int clone_beneath(const Bind& bind) {
  int base = ::open(bind.source, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (base < 0) fail_errno("mount", bind.source);
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  int path = static_cast<int>(::syscall(SYS_openat2, base, bind.beneath, &how, sizeof how));
  if (path < 0)
    fail({.kind = errno == ENOENT ? "not_found" : "invalid",
          .what = "mount the volume's directory",
          .object = bind.beneath,
          .error = errno,
          .fix = "make it in the volume first; it must not lead out of it"});
  int tree = clone_opened(path, bind.recursive);
  if (tree < 0) fail_errno("clone the mount of", bind.beneath);
  ::close(path);
  ::close(base);
  return tree;
}

int clone_mount(const char* source, bool recursive) {
  int path = ::open(source, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (path < 0) fail_errno("mount", source);
  struct stat info {};
  if (::fstat(path, &info) == 0 && S_ISLNK(info.st_mode))
    fail({.kind = "invalid",
          .what = "mount of a symbolic link",
          .object = source,
          .fix = "name what the link points to"});
  int tree = clone_opened(path, recursive);
  if (tree < 0) fail_errno("clone the mount of", source);
  ::close(path);
  return tree;
}

bool try_map_ids(int tree, int user_namespace, bool recursive) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<std::uint64_t>(user_namespace);
  unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0u);
  return ::mount_setattr(tree, "", flags, &attributes, sizeof attributes) == 0;
}

void map_ids(int tree, int user_namespace, const char* source, bool recursive) {
  if (try_map_ids(tree, user_namespace, recursive)) return;
  if (errno == EINVAL)
    fail({.kind = "unsupported", .what = "map ids of", .object = source, .error = EINVAL, .fix = kOtherFileSystem});
  fail_errno("map ids of", source);
}

int clone_mapped(const char* source, int user_namespace, bool recursive) {
  int tree = clone_mount(source, recursive);
  if (user_namespace >= 0) map_ids(tree, user_namespace, source, recursive);
  return tree;
}

// A file that is only read can be shown with its owner unmapped (to nobody) where its file system knows no mapping,
// such as tmpfs before Linux 6.3. The container's log says so.
bool readable_unmapped(int tree, const Bind& bind) {
  struct stat info {};
  if (!bind.read_only || ::fstat(tree, &info) < 0 || !S_ISREG(info.st_mode) || (info.st_mode & S_IROTH) == 0)
    return false;
  Path note;
  note.add("gantry: ").add(bind.source).add(": mounted without mapped ids, its file system cannot\n");
  log::write(2, note.c_str(), note.length());
  return true;
}

// Below the other's root and without following links: what is there is its own to change.
int clone_seen(const Bind& bind) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  int path = static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, bind.source, &how, sizeof how));
  return path < 0 ? -1 : clone_opened(path, bind.recursive);
}

// By a child that shares our descriptors, since only who is in a mount namespace can clone from it.
int clone_of_other(const Bind& bind) {
  struct Answer {
    int tree;
    int error;
  };
  void* memory = ::mmap(nullptr, sizeof(Answer), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail_errno("prepare", "a process");
  auto* answer = static_cast<Answer*>(memory);
  answer->tree = -1;
  answer->error = ESRCH;
  int process = static_cast<int>(::syscall(SYS_pidfd_open, bind.seen_by, 0));
  pid_t child = process < 0 ? -1 : holder::clone_process(CLONE_FILES, SIGCHLD);
  if (child == 0) {
    answer->tree = ::setns(process, CLONE_NEWNS) < 0 ? -1 : clone_seen(bind);
    answer->error = errno;
    ::_exit(0);
  }
  while (child > 0 && ::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (process >= 0) ::close(process);
  int tree = answer->tree;
  errno = answer->error;
  ::munmap(memory, sizeof(Answer));
  if (tree < 0) fail_errno("clone another container's mount of", bind.source);
  return tree;
}

int clone_bind(const Bind& bind, int user_namespace) {
  if (bind.seen_by != 0) return clone_of_other(bind);
  int tree = *bind.beneath != 0 ? clone_beneath(bind) : clone_mount(bind.source, bind.recursive);
  if (!bind.id_mapped || user_namespace < 0 || try_map_ids(tree, user_namespace, bind.recursive)) return tree;
  if (errno == EINVAL && readable_unmapped(tree, bind)) return tree;
  map_ids(tree, user_namespace, bind.source, bind.recursive);
  return tree;
}

void make_directory(const char* path) {
  if (::mkdir(path, 0755) < 0 && errno != EEXIST) fail_errno("create directory", path);
}

void attach(int tree, const char* path) {
  if (::move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0) fail_errno("attach a mount at", path);
}

// upper and work must be seen through one mount: their common parent is what is cloned.
void split_upper() {
  upper_parent.clear();
  std::size_t slash = 0;
  for (std::size_t i = 0; plan.upper[i] != 0 && plan.upper[i] == plan.work[i]; ++i)
    if (plan.upper[i] == '/') slash = i;
  char parent[4096];
  if (slash == 0 || slash >= sizeof parent)
    fail({.kind = "internal", .what = "no common directory of the writable layer and", .object = plan.work});
  memcpy(parent, plan.upper, slash);
  parent[slash] = 0;
  upper_parent.add(parent);
}

void clone_all(int user_namespace) {
  for (std::size_t i = 0; i < plan.layer_count; ++i) layer_fds[i] = clone_mapped(plan.layers[i], user_namespace, false);
  split_upper();
  upper_fd = clone_mapped(upper_parent.c_str(), user_namespace, false);
  for (std::size_t i = 0; i < plan.bind_count; ++i)
    bind_fds[i] = plan.binds[i].device_type != 0 ? -1 : clone_bind(plan.binds[i], user_namespace);
}

void make_stage() {
  if (::mount("gantry", kStage, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0)
    fail_errno("mount a tmpfs on", kStage);
  if (::mount(nullptr, kStage, nullptr, MS_PRIVATE, nullptr) < 0) fail_errno("make private", kStage);
  if (::chdir(kStage) < 0) fail_errno("change to", kStage);
  for (const char* name : {"l", "l/u", "l/none", "m", "r"}) make_directory(name);
}

Text<16> numbered(const char* prefix, std::size_t number) {
  Text<16> name;
  name.add(prefix).add(static_cast<std::uint64_t>(number));
  return name;
}

// The host's device would be nobody's in the container, and its owner there is its own: so it gets one of its own, made
// where devices work, which no file system of its user namespace allows.
int make_node(const Bind& bind, const char* name) {
  mode_t type = bind.device_type == 'b' ? S_IFBLK : S_IFCHR;
  if (::mknod(name, type | bind.mode, makedev(bind.major, bind.minor)) < 0 || ::chmod(name, bind.mode) < 0 ||
      ::chown(name, bind.uid, bind.gid) < 0)
    fail_errno("make a device for the container:", bind.source);
  int path = ::open(name, O_PATH | O_CLOEXEC);
  int tree = path < 0 ? -1 : clone_opened(path, false);
  if (tree < 0) fail_errno("clone the mount of", name);
  ::close(path);
  return tree;
}

void make_nodes() {
  bool any = false;
  for (std::size_t i = 0; i < plan.bind_count; ++i) {
    if (plan.binds[i].device_type == 0) continue;
    if (!any) {
      make_directory("d");
      if (::mount("gantry", "d", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0700,size=1m") < 0)
        fail_errno("mount a tmpfs for", "devices");
      any = true;
    }
    bind_fds[i] = make_node(plan.binds[i], numbered("d/", i).c_str());
  }
}

// overlayfs keeps the mounter's identity and works in the writable layer with it: an id that the layer's mapping does
// not know could create nothing there, and the mount would silently be read-only. Leaving id 0 for file access drops
// the capabilities for it, which are still permitted and are taken back.
void become_for_files(std::uint32_t id) {
  ::setfsgid(id);
  ::setfsuid(id);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2]{};
  if (::syscall(SYS_capget, &header, sets) < 0) fail_errno("read", "capabilities");
  for (auto& set : sets) set.effective = set.permitted;
  if (::syscall(SYS_capset, &header, sets) < 0) fail_errno("keep", "capabilities");
}

// Whether some layer is a file system of its own.
bool are_apart() {
  struct stat upper {};
  if (::fstat(upper_fd, &upper) < 0) fail_errno("inspect", plan.upper);
  for (std::size_t i = 0; i < plan.layer_count; ++i) {
    struct stat layer {};
    if (::fstat(layer_fds[i], &layer) < 0) fail_errno("inspect", plan.layers[i]);
    if (layer.st_dev != upper.st_dev) return true;
  }
  return false;
}

// Names are short because overlayfs takes its options in one page. Files of several file systems are still of one
// device, and keep their numbers when they are changed: `tar --one-file-system` and others look at that.
void mount_root() {
  Path options;
  if (are_apart()) options.add("xino=on,");
  options.add("index=off,metacopy=off,lowerdir=");
  for (std::size_t i = plan.layer_count; i-- > 0;) {
    auto name = numbered("l/", i);
    make_directory(name.c_str());
    attach(layer_fds[i], name.c_str());
    options.add(name.c_str());
    if (i > 0) options.add(":");
  }
  if (plan.layer_count == 0) options.add("l/none");
  attach(upper_fd, "l/u");
  options.add(",upperdir=l/u").add(plan.upper + upper_parent.length());
  options.add(",workdir=l/u").add(plan.work + upper_parent.length());
  if (plan.mapped) become_for_files(plan.map_host);
  if (::mount("overlay", "r", "overlay", 0, options.c_str()) < 0)
    fail_errno("mount the root file system over", plan.upper);
  if (plan.mapped) become_for_files(0);
  struct statfs info {};
  if (::statfs("r", &info) < 0 || (info.f_flags & ST_RDONLY) != 0)
    fail({.kind = "unsupported",
          .what = "the root file system became read-only over",
          .object = plan.upper,
          .fix = "the data directory's file system cannot hold overlayfs' writable layer: use ext4, xfs or btrfs"});
}

// overlayfs holds clones of its own; crun would copy these into the container's namespace.
void unmount_layers() {
  for (std::size_t i = 0; i < plan.layer_count; ++i) ::umount2(numbered("l/", i).c_str(), MNT_DETACH);
  ::umount2("l/u", MNT_DETACH);
}

void attach_binds() {
  for (std::size_t i = 0; i < plan.bind_count; ++i) {
    auto name = numbered("m/", i);
    struct stat info {};
    if (::fstat(bind_fds[i], &info) < 0) fail_errno("inspect", plan.binds[i].source);
    if (S_ISDIR(info.st_mode)) {
      make_directory(name.c_str());
    } else if (::mknod(name.c_str(), S_IFREG | 0600, 0) < 0) {
      fail_errno("create", name.c_str());
    }
    attach(bind_fds[i], name.c_str());
  }
}

void close_all() {
  for (std::size_t i = 0; i < plan.layer_count; ++i) ::close(layer_fds[i]);
  for (std::size_t i = 0; i < plan.bind_count; ++i)
    if (bind_fds[i] >= 0) ::close(bind_fds[i]);
  ::close(upper_fd);
}

}  // namespace

void enter_private_namespace() {
  if (::unshare(CLONE_NEWNS) < 0) fail_errno("unshare", "the mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) < 0) fail_errno("make rslave", "/");
}

void hide_unified_groups() {
  // crun refuses a hybrid layout, where version 1 hierarchies carry the controllers and a version 2 mount stands beside
  // them. Without that mount it sees plain version 1.
  struct statfs info {};
  if (::statfs("/sys/fs/cgroup", &info) == 0 && info.f_type == TMPFS_MAGIC &&
      ::statfs("/sys/fs/cgroup/unified", &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC)
    if (::umount2("/sys/fs/cgroup/unified", MNT_DETACH) < 0) fail_errno("unmount", "/sys/fs/cgroup/unified");
}

namespace {

class KeepDirectory {
 public:
  KeepDirectory() : here_(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    if (here_ < 0) fail_errno("open", "the container's directory");
  }
  KeepDirectory(const KeepDirectory&) = delete;
  KeepDirectory& operator=(const KeepDirectory&) = delete;
  ~KeepDirectory() {
    if (::fchdir(here_) < 0) fail_errno("change to", "the container's directory");
    ::close(here_);
  }

 private:
  int here_;
};

void mount_in_stage() {
  clone_all(plan.mapped ? holder::user_namespace() : -1);
  make_stage();
  make_nodes();
  mount_root();
}

}  // namespace

void mount_all() {
  KeepDirectory here;
  mount_in_stage();
  unmount_layers();
  attach_binds();
  close_all();
}

// Nothing is unmounted here: each unmount waits until every processor has passed a point of rest, milliseconds under
// load. It all goes with the namespace.
void mount_detached(int* root, int* binds) {
  KeepDirectory here;
  mount_in_stage();
  *root = ::open_tree(AT_FDCWD, "r", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  if (*root < 0) fail_errno("detach", "the root file system");
  for (std::size_t i = 0; i < plan.bind_count; ++i) binds[i] = std::exchange(bind_fds[i], -1);
  close_all();
}

void unmount_all() { ::umount2(kStage, MNT_DETACH); }

}  // namespace gantry::shim
