#include "layer_mounts.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "allocated.h"
#include "erofs_writer.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/base/log.h"
#include "overlay.h"

namespace gantry::image {
namespace fs = std::filesystem;
namespace {

constexpr int kMostTries = 64;

[[noreturn]] void fail(const std::string& action) {
  int code = errno;
  bool damaged = code == EUCLEAN || code == EINVAL || code == EIO;
  throw Error(ErrorKind::unavailable, action + ": " + ::strerrordesc_np(code),
              damaged ? "run 'gantry image verify --repair'"
                      : "check that the kernel has EROFS and loop devices: 'modprobe erofs loop'");
}

// Whether most of a file is in memory, as it is after it was written.
bool is_in_memory(int file) {
  struct stat info {};
  if (::fstat(file, &info) < 0 || info.st_size == 0) return false;
  // Mostly holes: it may be as large as it likes.
  if (allocated(info) * 2 < static_cast<std::uint64_t>(info.st_size)) return false;
  auto size = static_cast<std::size_t>(info.st_size);
  auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
  if (at == MAP_FAILED) return false;
  std::array<unsigned char, 4096> pages{};
  std::size_t resident = 0;
  for (std::size_t from = 0; from < size; from += pages.size() * page) {
    auto length = std::min(size - from, pages.size() * page);
    if (::mincore(static_cast<char*>(at) + from, length, pages.data()) < 0) break;
    auto end = pages.begin() + static_cast<std::ptrdiff_t>((length + page - 1) / page);
    resident +=
        static_cast<std::size_t>(std::count_if(pages.begin(), end, [](unsigned char one) { return (one & 1) != 0; }));
  }
  ::munmap(at, size);
  return resident * page * 2 > size;
}

// A loop device that frees itself with its last user. Kernels before 6.12 mount EROFS from a device only; and mounts of
// one device share what is in memory, which those of one file do not.
Fd loop_device(const fs::path& image, bool fresh) {
  Fd file(::open(image.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw_errno("open " + image.string());
  Fd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control) fail("open /dev/loop-control");
  if (fresh) ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);  // where the disk cannot be read directly
  // What is read is kept once, as the layer's and not as the image's, too; but the first start after a pull finds what
  // that has written in memory.
  bool direct = fresh || !is_in_memory(file.get());
  for (int i = 0; i < kMostTries; ++i) {
    int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) fail("find a free loop device");
    Fd device(::open(("/dev/loop" + std::to_string(number)).c_str(), O_RDONLY | O_CLOEXEC));
    if (!device) fail("open /dev/loop" + std::to_string(number));
    loop_config wanted{};
    wanted.fd = static_cast<__u32>(file.get());
    wanted.block_size = ErofsWriter::kBlock;  // disks with smaller ones and with such are read directly
    wanted.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
    if (direct) wanted.info.lo_flags |= LO_FLAGS_DIRECT_IO;
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

// A small image that has what layers need: a kernel may be built without extended attributes, and would show what is
// deleted.
std::string image_obstacle() {
  constexpr std::string_view kCapability("\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  try {
    Fd file(::memfd_create("gantry-layer", MFD_CLOEXEC));
    if (!file) throw_errno("make a file in memory");
    ErofsWriter writer(file.get());
    writer.opaque(EntryName{});
    writer.small_file(EntryName{{"f"}}, {.xattrs = {{"security.capability", std::string(kCapability)}}}, "");
    writer.finish();
    Fd root = mount_image("/proc/self/fd/" + std::to_string(file.get()));
    auto at = "/proc/self/fd/" + std::to_string(root.get());
    if (::getxattr(at.c_str(), kOpaque, nullptr, 0) != 1 ||
        ::getxattr((at + "/f").c_str(), "security.capability", nullptr, 0) != static_cast<ssize_t>(kCapability.size()))
      return "this kernel's EROFS has no extended attributes";
    return {};
  } catch (const Error& error) {
    return error.message();
  }
}

LayerMounts::LayerMounts(fs::path root) : root_(std::move(root)) {
  try {
    prepare();
  } catch (const Error& error) {
    obstacle_ = error.message();
  }
}

LayerMounts::~LayerMounts() {
  if (!is_mount(root_)) return;
  ::umount2(root_.c_str(), MNT_DETACH);  // with all that is in it
  ::rmdir(root_.c_str());
}

void LayerMounts::prepare() {
  make_directories(root_, 0700);
  while (is_mount(root_) && ::umount2(root_.c_str(), MNT_DETACH) == 0) {
  }
  if (::mount("gantry-layers", root_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=1m") < 0)
    throw_errno("mount " + root_.string());
  if (::mount(nullptr, root_.c_str(), nullptr, MS_SHARED, nullptr) < 0) throw_errno("share " + root_.string());
}

const std::string& LayerMounts::obstacle() {
  std::lock_guard lock(mutex_);
  if (!obstacle_) obstacle_ = image_obstacle();
  if (!obstacle_->empty() && !std::exchange(told_, true)) log::warn("layers are kept as directories: {}", *obstacle_);
  return *obstacle_;
}

fs::path LayerMounts::mounted(const std::string& name, const fs::path& image) {
  std::lock_guard lock(mutex_);
  if (auto known = mounted_.find(name); known != mounted_.end()) return known->second;
  if (obstacle_ && !obstacle_->empty())
    throw Error(ErrorKind::unavailable, "the layer " + image.string() + " cannot be mounted: " + *obstacle_,
                "run 'gantry doctor'");
  auto at = root_ / (superseded_.contains(name) ? name + "." + std::to_string(++number_) : name);
  make_directories(at, 0700);
  Fd made = mount_image(image);
  if (::move_mount(made.get(), "", AT_FDCWD, at.c_str(), MOVE_MOUNT_F_EMPTY_PATH) < 0) fail("mount " + at.string());
  mounted_[name] = at;
  return at;
}

void LayerMounts::supersede(const std::string& name) {
  std::lock_guard lock(mutex_);
  if (auto known = mounted_.extract(name); !known.empty()) superseded_.emplace(name, known.mapped());
}

void LayerMounts::drop_superseded(const std::string& name) {
  std::lock_guard lock(mutex_);
  auto [first, last] = superseded_.equal_range(name);
  for (auto one = first; one != last; ++one) unmount(one->second);
  superseded_.erase(first, last);
}

void LayerMounts::release(const std::string& name) {
  drop_superseded(name);
  std::lock_guard lock(mutex_);
  if (auto known = mounted_.extract(name); !known.empty()) unmount(known.mapped());
}

void LayerMounts::unmount(const fs::path& at) {
  if (::umount2(at.c_str(), MNT_DETACH) < 0) log::warn("{} stays mounted: {}", at.string(), ::strerrordesc_np(errno));
  ::rmdir(at.c_str());
}

}  // namespace gantry::image
