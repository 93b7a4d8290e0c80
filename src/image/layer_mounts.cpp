#include "layer_mounts.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "erofs_writer.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/base/log.h"

namespace gantry::image {
namespace fs = std::filesystem;
namespace {

constexpr int kMostTries = 64;

[[noreturn]] void fail(const std::string& action) {
  int code = errno;
  throw Error(ErrorKind::unavailable, action + ": " + ::strerrordesc_np(code),
              "check that the kernel has EROFS and loop devices: 'modprobe erofs loop'");
}

// Whether most of a file is in memory, as it is after it was written.
bool is_in_memory(int file) {
  struct stat info {};
  if (::fstat(file, &info) < 0 || info.st_size == 0) return false;
  auto size = static_cast<std::size_t>(info.st_size);
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
  if (at == MAP_FAILED) return false;
  auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((size + page - 1) / page);
  bool known = ::mincore(at, size, pages.data()) == 0;
  ::munmap(at, size);
  auto resident = std::count_if(pages.begin(), pages.end(), [](unsigned char one) { return (one & 1) != 0; });
  return known && static_cast<std::size_t>(resident) * 2 > pages.size();
}

// A loop device that frees itself with its last user. Kernels before 6.12 mount EROFS from a device only; and mounts of
// one device share what is in memory, which those of one file do not.
Fd loop_device(const fs::path& image, bool fresh) {
  Fd file(::open(image.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw_errno("open " + image.string());
  Fd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control) fail("open /dev/loop-control");
  for (int i = 0; i < kMostTries; ++i) {
    int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) fail("find a free loop device");
    Fd device(::open(("/dev/loop" + std::to_string(number)).c_str(), O_RDONLY | O_CLOEXEC));
    if (!device) fail("open /dev/loop" + std::to_string(number));
    loop_config wanted{};
    wanted.fd = static_cast<__u32>(file.get());
    wanted.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
    // What is read is kept once, as the layer's and not as the image's, too; but the first start after a pull finds
    // what that has written in memory.
    if (fresh || !is_in_memory(file.get())) wanted.info.lo_flags |= LO_FLAGS_DIRECT_IO;
    if (::ioctl(device.get(), LOOP_CONFIGURE, &wanted) == 0) return device;
    if (errno != EBUSY) fail("set up a loop device for " + image.string());  // else somebody else took it
  }
  errno = EBUSY;
  fail("set up a loop device for " + image.string());
}

bool is_mount(const fs::path& path) {
  struct statx info {};
  return ::statx(AT_FDCWD, path.c_str(), 0, STATX_MODE, &info) == 0 &&
         (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

// The smallest image there is.
std::string probe() {
  try {
    Fd file(::memfd_create("gantry-layer", MFD_CLOEXEC));
    if (!file) throw_errno("make a file in memory");
    ErofsWriter(file.get()).finish();
    mount_image("/proc/self/fd/" + std::to_string(file.get()));
    return {};
  } catch (const Error& error) {
    return error.message();
  }
}

}  // namespace

Fd mount_image(const fs::path& image, bool fresh) {
  Fd device = loop_device(image, fresh);
  auto path = fs::read_symlink("/proc/self/fd/" + std::to_string(device.get()));
  Fd context(::fsopen("erofs", FSOPEN_CLOEXEC));
  if (!context) fail("mount an EROFS image");
  if (::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", path.c_str(), 0) < 0 ||
      ::fsconfig(context.get(), FSCONFIG_SET_FLAG, "ro", nullptr, 0) < 0 ||
      ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0)
    fail("mount " + image.string());
  Fd made(::fsmount(context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY));
  if (!made) fail("mount " + image.string());
  return made;
}

LayerMounts::LayerMounts(fs::path root) : root_(std::move(root)) {}

// Also what an earlier run has left, when nothing has been mounted by this one.
LayerMounts::~LayerMounts() {
  if (!is_mount(root_)) return;
  ::umount2(root_.c_str(), MNT_DETACH);  // with all that is in it
  ::rmdir(root_.c_str());
}

void LayerMounts::prepare() {
  if (prepared_) return;
  make_directories(root_, 0700);
  while (is_mount(root_) && ::umount2(root_.c_str(), MNT_DETACH) == 0) {
  }
  if (::mount("gantry-layers", root_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=1m") < 0)
    throw_errno("mount " + root_.string());
  if (::mount(nullptr, root_.c_str(), nullptr, MS_SHARED, nullptr) < 0) throw_errno("share " + root_.string());
  prepared_ = true;
}

const std::string& LayerMounts::obstacle() {
  std::lock_guard lock(mutex_);
  if (!obstacle_) {
    obstacle_ = probe();
    if (!obstacle_->empty()) log::warn("layers are kept as directories: {}", *obstacle_);
  }
  return *obstacle_;
}

void LayerMounts::attach(const fs::path& image, const fs::path& at) {
  Fd made = mount_image(image);
  if (::move_mount(made.get(), "", AT_FDCWD, at.c_str(), MOVE_MOUNT_F_EMPTY_PATH) < 0) fail("mount " + at.string());
}

fs::path LayerMounts::mounted(const std::string& name, const fs::path& image) {
  auto at = root_ / name;
  std::lock_guard lock(mutex_);
  if (mounted_.contains(name)) return at;
  prepare();
  make_directories(at, 0700);
  attach(image, at);
  mounted_.insert(name);
  return at;
}

// Over the one that is there: who was told the place a moment ago finds one or the other.
void LayerMounts::replace(const std::string& name, const fs::path& image) {
  std::lock_guard lock(mutex_);
  if (mounted_.contains(name)) attach(image, root_ / name);
}

void LayerMounts::release(const std::string& name) {
  std::lock_guard lock(mutex_);
  if (mounted_.erase(name) == 0) return;
  auto at = root_ / name;
  while (is_mount(at))
    if (::umount2(at.c_str(), MNT_DETACH) < 0) throw_errno("unmount " + at.string());
  ::rmdir(at.c_str());
}

}  // namespace gantry::image
