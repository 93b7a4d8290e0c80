#include "files/root_view.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <set>
#include <thread>

#include "gantry/base/error.h"

namespace gantry::engine {
namespace {

namespace fs = std::filesystem;

constexpr char kStage[] = "/mnt";  // in a mount namespace of this thread's own

int open_in(int root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how));
}

void enter_own_namespace() {
  if (::unshare(CLONE_NEWNS) < 0) throw_errno("make a mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) throw_errno("make mounts private");
  if (::mount("gantry", kStage, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=1m") < 0)
    throw_errno(std::string("mount a tmpfs on ") + kStage);
  if (::chdir(kStage) < 0) throw_errno(std::string("change to ") + kStage);
}

void link(const fs::path& target, const std::string& name) {
  if (::symlink(target.c_str(), name.c_str()) < 0) throw_errno("make a link to " + target.string());
}

// Whether some layer is a file system of its own: its files are to be of the same device as the others, as for the
// container.
bool are_apart(const ViewPlan& plan) {
  std::set<dev_t> devices;
  auto places = plan.layers;
  if (plan.upper) places.push_back(*plan.upper);
  for (const auto& place : places) {
    struct stat info {};
    if (::stat(place.c_str(), &info) < 0) throw_errno("inspect " + place.string());
    devices.insert(info.st_dev);
  }
  return devices.size() > 1;
}

// overlayfs takes its options in one page: short names, in the working directory, lead to the layers.
void mount_overlay(const ViewPlan& plan) {
  std::string options = are_apart(plan) ? "xino=on," : "";
  options += "index=off,metacopy=off,lowerdir=";
  if (::mkdir("none", 0755) < 0 || ::mkdir("root", 0755) < 0) throw_errno("make a directory");
  for (std::size_t i = plan.layers.size(); i-- > 0;) {
    link(plan.layers[i], std::to_string(i));
    options += std::to_string(i) + ":";
  }
  // A lower layer must be there, and without an upper one there must be two.
  options += plan.layers.empty() || !plan.upper ? "none" : "";
  if (options.ends_with(':')) options.pop_back();
  if (plan.upper) {
    link(*plan.upper, "upper");
    link(plan.work, "work");
    options += ",upperdir=upper,workdir=work";
  }
  unsigned long flags = MS_NODEV | MS_NOSUID | (plan.upper ? 0 : MS_RDONLY);
  if (::mount("overlay", "root", "overlay", flags, options.c_str()) < 0)
    throw_errno("mount the container's root file system");
}

// The place of a mount is made where it is missing, as a start would do.
Fd open_target(int root, const std::string& target, bool directory) {
  if (Fd found(open_in(root, target, O_PATH)); found) return found;
  if (errno != ENOENT) throw_errno("open the place of the mount " + target);
  fs::path done = "/";
  auto whole = fs::path(target).lexically_normal().relative_path();
  if (whole.filename().empty()) whole = whole.parent_path();
  for (auto part = whole.begin(); part != whole.end(); ++part) {
    Fd above(open_in(root, done.string(), O_PATH | O_DIRECTORY));
    if (!above) throw_errno("open the place of the mount " + target);
    bool last = std::next(part) == whole.end();
    int made = !last || directory ? ::mkdirat(above.get(), part->c_str(), 0755)
                                  : ::mknodat(above.get(), part->c_str(), S_IFREG | 0644, 0);
    if (made < 0 && errno != EEXIST) throw_errno("make the place of the mount " + target);
    done /= *part;
  }
  Fd out(open_in(root, target, O_PATH));
  if (!out) throw_errno("open the place of the mount " + target);
  return out;
}

void mount_at(int root, const ViewMount& mount) {
  unsigned recursive = mount.recursive ? AT_RECURSIVE : 0u;
  Fd tree(::open_tree(AT_FDCWD, mount.source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive));
  if (!tree) throw_errno("mount " + mount.source + " on " + mount.target);
  struct stat info {};
  if (::fstat(tree.get(), &info) < 0) throw_errno("inspect " + mount.source);
  if (mount.read_only) {
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY;
    if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH | recursive, &attributes, sizeof attributes) < 0)
      throw_errno("make read-only: " + mount.source);
  }
  Fd target = open_target(root, mount.target, S_ISDIR(info.st_mode));
  if (::move_mount(tree.get(), "", target.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
    throw_errno("mount " + mount.source + " on " + mount.target);
}

Fd make_view(const ViewPlan& plan) {
  enter_own_namespace();
  mount_overlay(plan);
  Fd root(::open("root", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) throw_errno("open the container's root file system");
  for (const auto& mount : plan.mounts) mount_at(root.get(), mount);
  if (plan.read_only) {
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY;
    if (::mount_setattr(root.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
      throw_errno("make the container's root read-only");
  }
  Fd view(::open_tree(AT_FDCWD, "root", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
  if (!view) throw_errno("detach the container's root file system");
  return view;
}

}  // namespace

// A thread, because a namespace is for ever: it ends with it, and the detached tree stays.
Fd mount_view(const ViewPlan& plan) {
  Fd view;
  std::exception_ptr failure;
  std::thread maker([&] {
    try {
      view = make_view(plan);
    } catch (...) {
      failure = std::current_exception();
    }
  });
  maker.join();
  if (failure) std::rethrow_exception(failure);
  return view;
}

}  // namespace gantry::engine
