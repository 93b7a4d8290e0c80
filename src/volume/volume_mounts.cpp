#include <fcntl.h>
#include <netdb.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <memory>

#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/base/ids.h"
#include "gantry/volume/volume_store.h"
#include "local_mount.h"

// Whether a volume is mounted is the kernel's to say; nothing remembers it.
namespace gantry::volume {
namespace {

bool is_mount_root(const std::string& path) {
  struct statx status {};
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &status) < 0) return false;
  return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

// The kernel takes addresses only; names are for user space to look up.
std::string address_of(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); code != 0)
    throw Error(ErrorKind::unavailable,
                "error resolving passed in network volume address: " + host + ": " + ::gai_strerror(code),
                "give the server's address in addr=");
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  char text[NI_MAXHOST];
  if (::getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0)
    throw Error(ErrorKind::unavailable, "error resolving passed in network volume address: " + host);
  return text;
}

std::string data_of(const LocalMount& mount) {
  if (mount.address.empty()) return mount.data;
  auto data = mount.data;
  auto word = "addr=" + mount.address;
  return data.replace(data.find(word), word.size(), "addr=" + address_of(mount.address));
}

}  // namespace

void require_valid(const VolumeSpec& spec) {
  require_valid_name("volume", spec.name);
  if (spec.driver != "local" && !spec.driver.empty())
    throw Error(ErrorKind::not_found,
                "error looking up volume plugin " + spec.driver + ": plugin \"" + spec.driver + "\" not found",
                "use the driver local");
  parse_local_mount(spec.options);
}

bool VolumeStore::is_mounted(const VolumeInfo& info) const { return is_mount_root(info.path); }

void VolumeStore::mount(const VolumeInfo& info) {
  auto wanted = parse_local_mount(info.options);
  if (!wanted || is_mount_root(info.path)) return;
  auto data = data_of(*wanted);
  bool bind = (wanted->flags & MS_BIND) != 0;
  auto flags = bind ? wanted->flags & (MS_BIND | MS_REC) : wanted->flags;
  const char* type = wanted->type.empty() ? nullptr : wanted->type.c_str();
  int result = ::mount(wanted->device.c_str(), info.path.c_str(), type, flags, data.c_str());
  // A bind takes its other flags only the second time.
  auto more = wanted->flags & ~static_cast<unsigned long>(MS_BIND | MS_REC);
  if (result == 0 && bind && more != 0)
    result = ::mount(nullptr, info.path.c_str(), nullptr, more | MS_BIND | MS_REMOUNT, nullptr);
  if (result == 0) return;
  auto error = system_error(
      errno, "failed to mount local volume: mount " + wanted->device + ":" + info.path + ", data: " + data);
  if (is_mount_root(info.path)) ::umount2(info.path.c_str(), MNT_DETACH);
  throw Error(ErrorKind::unavailable, error.message(), "check the options of volume " + info.name);
}

void VolumeStore::unmount(const VolumeInfo& info) {
  while (is_mount_root(info.path))
    if (::umount2(info.path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) < 0) throw_errno("unmount volume " + info.name);
}

std::uint64_t VolumeStore::usage(const VolumeInfo& info) const {
  return info.options.empty() ? tree_size(info.path) : 0;
}

}  // namespace gantry::volume
